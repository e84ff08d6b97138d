// Package secrets watches and reads the Secrets of control planes.
//
// It has one watch for each name, which the API server filters. The operator therefore needs no permission to list other Secrets, and never
// holds them.
package secrets
