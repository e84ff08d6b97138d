// Package gatewayapi writes the status of objects of the Gateway API: conditions from verdicts, and the entries of a mesh among the parents of a route.
//
// Gateways and Services are parents of the same routes, and their entries have the same controller name. Each writer replaces only its own entries.
package gatewayapi
