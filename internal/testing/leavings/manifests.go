package leavings

import (
	_ "embed"
	"strings"
)

//go:embed manifests/definitions.yaml
var definitions string

//go:embed manifests/made.yaml
var made string

//go:embed manifests/users.yaml
var users string

//go:embed manifests/webhooks.yaml
var webhooks string

// Definitions are OSM's and the Service Mesh Interface's kinds, as the last releases of OSM define them.
func Definitions() string { return definitions }

// Made are the objects that OSM's programs make and no uninstallation without hooks removes, except for the certificate authority,
// whose private key is made by whoever tests, and the webhooks.
func Made(mesh, namespace string) string { return fill(made, mesh, namespace) }

// Webhooks are OSM's webhook configurations: under the names it gives them, and under those of an add-on.
func Webhooks(mesh, namespace string) string { return fill(webhooks, mesh, namespace) }

// Users are the namespaces of the mesh with OSM's labels and annotations, and the policies that their owners wrote.
func Users(mesh, namespace string) string { return fill(users, mesh, namespace) }

// fill writes the names into a manifest.
func fill(manifest, mesh, namespace string) string {
	return strings.NewReplacer("(mesh)", mesh, "(namespace)", namespace).Replace(manifest)
}
