// Starts the viewer of the REST page on this server's own document.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// It asks the server that the page is from, whatever other names that has.
const root = new URL("..", document.currentScript.src).href;
const url = `${root}openapi.json`;
const withThisServer = (text) => JSON.stringify({ ...JSON.parse(text), servers: [{ url: root.replace(/\/$/, "") }] });

// The viewer takes what needs no token for signed in, and draws its padlock closed. https://github.com/swagger-api/swagger-ui/issues/4402
const padlocks = () => ({
  statePlugins: {
    auth: {
      wrapSelectors: {
        isAuthorized: (original) => (_, alternatives) => original(alternatives.filterNot((alternative) => alternative.isEmpty())),
      },
    },
  },
});

const viewer = SwaggerUIBundle({
  url,
  dom_id: "#viewer",
  deepLinking: true,
  tryItOutEnabled: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  plugins: [padlocks],
  // It would send the document to a host of its maker.
  validatorUrl: null,
  // The page has its main part already; this is within it.
  onComplete: () => document.querySelector("#viewer main").setAttribute("role", "none"),
  // Who signs in here is signed in here.
  responseInterceptor(response) {
    if (response.ok && response.url === url) response.text = withThisServer(response.text);
    if (response.ok && response.body?.token_value) viewer.preauthorizeApiKey("bearer", response.body.token_value);
    return response;
  },
});
