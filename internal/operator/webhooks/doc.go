// Package webhooks renders and applies the webhook configurations of a mesh.
//
// In flow the active revision, the canary that injects, and the certificates that the API server is to trust; out flow
// configurations. The rollout decides when a webhook is registered and who injects; the certificates controller widens what
// registered webhooks trust. Both render the same objects here, with one field manager.
package webhooks
