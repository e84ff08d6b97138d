// Package secrets watches and reads the few Secrets that belong to a control plane, and no others.
//
// In flow the names of those Secrets; out flow reads from memory and events. Each name is one watch that the API server filters, so
// the operator needs no permission on, and never holds, any other Secret of the cluster.
package secrets
