// A small shop: products, cart, checkout, in one page that routes itself. What it tells the tracker are Segment's e-commerce
// events; pages, and clicks on elements with data-evs-event, the tracker tells by itself.

const PRODUCTS = [
    { sku: 'desk-lamp', name: 'Desk lamp', price: 59.9, shape: 'M30 90h40M50 90V50L70 25M60 15l22 16-14 16-20-18z' },
    { sku: 'floor-lamp', name: 'Floor lamp', price: 129, shape: 'M35 95h30M50 95V35M32 35h36L58 8H42z' },
    { sku: 'pendant', name: 'Pendant', price: 84.5, shape: 'M50 0v40M22 70a28 30 0 0 1 56 0z' },
    { sku: 'lantern', name: 'Lantern', price: 34, shape: 'M35 40h30v45H35zM40 40V28h20v12M50 28V12M42 85v8M58 85v8' },
    { sku: 'night-light', name: 'Night light', price: 19.9, shape: 'M66 60a28 28 0 1 1-26-42 22 22 0 0 0 26 42z' },
    { sku: 'bulb', name: 'Bulb', price: 6.5, shape: 'M40 70h20M42 80h16M46 90h8M40 62c0-10-12-14-12-28a22 22 0 0 1 44 0c0 14-12 18-12 28z' },
];

const view = document.querySelector('#view');
const byId = (id) => document.getElementById(id);
const money = (amount) => amount.toFixed(2);
const productOf = (sku) => PRODUCTS.find((product) => product.sku === sku);

// --- what is kept: the cart and who has signed in ------------------------------------------------------------------------

const kept = {
    get cart() {
        return JSON.parse(localStorage.getItem('shop_cart') ?? '{}');
    },
    set cart(lines) {
        localStorage.setItem('shop_cart', JSON.stringify(lines));
        showCount();
    },
    get user() {
        return localStorage.getItem('shop_user');
    },
    set user(name) {
        name ? localStorage.setItem('shop_user', name) : localStorage.removeItem('shop_user');
        showUser();
    },
};

const lines = () => Object.entries(kept.cart).map(([sku, quantity]) => ({ ...productOf(sku), quantity }));
const total = () => lines().reduce((sum, { price, quantity }) => sum + price * quantity, 0);

// --- what is told ---------------------------------------------------------------------------------------------------------

function tell(event, properties) {
    window.evs.push(['track', event, properties]);
    note(event, properties);
}

function note(event, properties = {}) {
    const line = document.createElement('li');
    const name = document.createElement('b');
    name.textContent = event;
    line.append(name, ' ', properties.sku ?? properties.path ?? '');
    byId('events').prepend(line);
    [...byId('events').children].slice(8).forEach((old) => old.remove());
}

const asEvent = ({ sku, name, price, quantity = 1 }) => ({ sku, name, price, quantity });

function addToCart(product) {
    kept.cart = { ...kept.cart, [product.sku]: (kept.cart[product.sku] ?? 0) + 1 };
    tell('Product Added', asEvent(product));
}

function removeFromCart(product) {
    const { [product.sku]: quantity, ...rest } = kept.cart;
    kept.cart = rest;
    tell('Product Removed', asEvent({ ...product, quantity }));
    show();
}

function order() {
    tell('Order Completed', {
        order_id: crypto.randomUUID(),
        revenue: Number(money(total())),
        currency: 'EUR',
        products: lines().map(asEvent),
    });
    kept.cart = {};
    go('/thanks');
}

// --- pages ----------------------------------------------------------------------------------------------------------------

// An element by its name, its properties and what is in it. Texts are texts: nothing here is ever parsed as HTML.
function element(name, properties, ...inside) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...inside);
    return made;
}

const link = (path, text) => {
    const made = element('a', { href: path }, text);
    made.dataset.route = '';
    return made;
};

const button = (text, onclick) => element('button', { onclick }, text);

function picture({ shape }) {
    const drawing = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    drawing.setAttribute('viewBox', '0 0 100 100');
    drawing.setAttribute('aria-hidden', 'true');
    for (const [name, value] of Object.entries({ d: shape, fill: 'none', stroke: 'currentColor', 'stroke-width': 4 })) {
        path.setAttribute(name, value);
    }
    drawing.append(path);
    return drawing;
}

function card(product) {
    const made = element(
        'div',
        { className: 'card' },
        picture(product),
        link(`/product/${product.sku}`, product.name),
        element('span', { className: 'price' }, money(product.price)),
        button('Add to cart', () => addToCart(product)),
    );
    made.dataset.sku = product.sku;
    return made;
}

function productPage(sku) {
    const product = productOf(sku);
    if (!product) {
        return [element('p', {}, 'There is no such product.')];
    }
    tell('Product Viewed', asEvent(product));
    const wish = button('Remember', () => note('Product Added to Wishlist', product));
    // Told by the tracker itself, from the attributes.
    wish.dataset.evsEvent = 'Product Added to Wishlist';
    wish.dataset.evsSku = product.sku;
    wish.dataset.evsProps = JSON.stringify({ price: product.price });
    wish.className = 'quiet';
    const text = element('div', {}, element('h1', {}, product.name), element('p', { className: 'price' }, money(product.price)));
    text.append(button('Add to cart', () => addToCart(product)), ' ', wish);
    return [element('div', { className: 'product' }, picture(product), text)];
}

function cartPage() {
    if (!lines().length) {
        return [element('p', {}, 'The cart is empty.')];
    }
    const cell = (text) => element('td', { className: 'number' }, text);
    const rows = lines().map((line) => {
        const remove = button('remove', () => removeFromCart(line));
        remove.className = 'quiet';
        const what = element('td', {}, line.name);
        return element('tr', {}, what, cell(line.quantity), cell(money(line.price * line.quantity)), element('td', {}, remove));
    });
    const sum = element('tr', {}, element('th', {}, 'Total'), cell(''), cell(money(total())), element('td', {}));
    const next = link('/checkout', 'Checkout');
    next.className = 'button';
    return [element('h1', {}, 'Cart'), element('table', {}, ...rows, sum), element('p', {}, next)];
}

function checkoutPage() {
    if (!lines().length) {
        return cartPage();
    }
    tell('Checkout Started', { value: Number(money(total())), currency: 'EUR', products: lines().map(asEvent) });
    return [element('h1', {}, 'Checkout'), element('p', {}, `${money(total())} to pay.`), button('Buy', order)];
}

const ROUTES = {
    '': () => [element('div', { className: 'products' }, ...PRODUCTS.map(card))],
    product: productPage,
    cart: cartPage,
    checkout: checkoutPage,
    thanks: () => [element('h1', {}, 'Thank you'), element('p', {}, 'It is on its way, as far as a demo can send anything.')],
};

function show() {
    const [, route, argument] = location.pathname.split('/');
    const page = ROUTES[route] ?? (() => [element('p', {}, 'There is no such page.')]);
    view.replaceChildren(...page(argument));
}

function go(path) {
    history.pushState({}, '', path);
    note('page', { path });
    show();
}

// --- who is there ---------------------------------------------------------------------------------------------------------

function showCount() {
    byId('count').textContent = Object.values(kept.cart).reduce((sum, quantity) => sum + quantity, 0);
}

function showUser() {
    byId('sign-in').hidden = Boolean(kept.user);
    byId('signed-in').hidden = !kept.user;
    byId('who').textContent = kept.user ?? '';
}

byId('sign-in').addEventListener('submit', (event) => {
    event.preventDefault();
    const user = new FormData(event.target).get('user');
    kept.user = user;
    window.evs.push(['identify', user, { name: user }]);
    note('identify', { path: user });
});

byId('sign-out').addEventListener('click', () => {
    kept.user = null;
    window.evs.push(['reset']);
});

document.addEventListener('click', (event) => {
    const target = event.target.closest('a[data-route]');
    if (target && !event.metaKey && !event.ctrlKey) {
        event.preventDefault();
        go(target.getAttribute('href'));
    }
});

addEventListener('popstate', show);

// --- triggers, as `evstream dev` sees them ----------------------------------------------------------------------------------

function describe({ subject, text }) {
    try {
        const row = JSON.parse(text);
        return [subject.split('.')[1], Object.entries(row).map(([name, value]) => `${name} ${value}`).join(', ')];
    } catch {
        return [subject, text];
    }
}

new EventSource('/triggers').onmessage = ({ data }) => {
    const [name, text] = describe(JSON.parse(data));
    byId('triggers').prepend(element('li', {}, element('b', {}, name), ' ', text));
    byId('hint').hidden = true;
};

showCount();
showUser();
show();
