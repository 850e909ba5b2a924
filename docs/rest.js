// Starts the viewer of the REST page on this server's own document.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const viewer = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#viewer",
  deepLinking: true,
  tryItOutEnabled: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  // It would send the document to a host of its maker.
  validatorUrl: null,
  // The page has its main part already; this is within it.
  onComplete: () => document.querySelector("#viewer main").setAttribute("role", "none"),
  // Who signs in here is signed in here.
  responseInterceptor(response) {
    if (response.ok && response.body?.token_value) viewer.preauthorizeApiKey("bearer", response.body.token_value);
    return response;
  },
});
