import 'uplot/dist/uPlot.min.css';
import './page.css';

import { render } from 'preact';

import { App } from './app.tsx';

const root = document.getElementById('page');
if (root) {
    render(<App />, root);
}
