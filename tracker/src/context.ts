// Where an event happened: the page, what brought the visitor, the browser.

/** The campaign that an address names: utm_* by their last word (utm_campaign is `name`, as in Segment), click ids whole. */
export const campaignOf = (search: string): Record<string, string> | undefined => {
    const campaign: Record<string, string> = {};
    let found;
    new URLSearchParams(search).forEach((value, name) => {
        const match = /^(?:utm_(\w+)|(?:g|fb|tt)clid|msclkid|[gw]braid)$/.exec(name);
        if (match && value) {
            campaign[match[1] == 'campaign' ? 'name' : match[1] || name] = value;
            found = campaign;
        }
    });
    return found;
};

/** The page as Segment names its parts. `referrer` is the address before, also within a single-page application. */
export const pageOf = (referrer: string) => ({
    path: location.pathname,
    referrer,
    search: location.search,
    title: document.title,
    url: location.href,
});

export const browser = () => ({
    library: { name: 'evs.js', version: VERSION },
    locale: navigator.language,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    screen: { width: screen.width, height: screen.height, density: devicePixelRatio },
    bot: navigator.webdriver || undefined,
});

/** Global Privacy Control: the visitor has asked all sites not to be followed. */
export const privacyControl = () => (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl;

declare global {
    /** Set at build from package.json. */
    const VERSION: string;
}
