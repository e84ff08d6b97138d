// Package connectivity verifies that a pod can connect to another pod or an external host: by the policies, and by the configuration
// of both sidecars.
//
// A mesh, two pods and the configuration of their sidecars flow in. A tree of checks flows out, each with the status Success, Failure
// or Unknown and a suggestion. Verdicts come from packages authz and explain. The expected configuration comes from the code that
// configures sidecars.
package connectivity
