package legacyosm

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

// Definitions returns the kinds of OSM and the Service Mesh Interface as the last OSM releases define them.
func Definitions() string { return definitions }

// Made returns the objects that OSM creates and that only uninstallation hooks remove. It does not include the webhooks and the
// certificate authority.
func Made(mesh, namespace string) string { return fill(made, mesh, namespace) }

// Webhooks returns OSM's webhook configurations, under OSM's names and under those of an add-on.
func Webhooks(mesh, namespace string) string { return fill(webhooks, mesh, namespace) }

// Users returns the namespaces of the mesh with OSM's labels and annotations, and policies of their owners.
func Users(mesh, namespace string) string { return fill(users, mesh, namespace) }

// fill replaces the placeholders of a manifest.
func fill(manifest, mesh, namespace string) string {
	return strings.NewReplacer("(mesh)", mesh, "(namespace)", namespace).Replace(manifest)
}
