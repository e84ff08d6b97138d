package component

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// Component is one part of a mesh that does not depend on other parts. Its methods are pure.
type Component interface {
	// Name is the name in status.components: lowercase, unique among all components.
	Name() string
	// Requires lists every kind that Render returns. The component is not rendered until the API server serves all of them.
	Requires() []Kind
	// Images lists the images that the component runs, unless they are those of the control plane.
	Images() []Image
	// Render returns the objects of the component. Each needs the labels of operand.Labels.
	Render(inputs Inputs) ([]*unstructured.Unstructured, error)
	// Health assesses the live objects. It is called when all objects exist.
	Health(live []*unstructured.Unstructured) Health
}

// Image is an image that the operator runs, and where users replace it. The chart, the list of "osm bundle images" and the operator read it.
type Image struct {
	// Variable is the environment variable of the operator that replaces the reference, such as RELATED_IMAGE_PROMETHEUS.
	Variable string
	// HelmKey is the key of the image below images in the values of the chart.
	HelmKey string
	// Field is the field of the Mesh that replaces the image.
	Field string
	// Reference is the default. Images of the control plane have none here, because it depends on the version.
	Reference string
}

// Optional is implemented by components that a Mesh enables. The objects of a disabled component are deleted, and its kinds are not
// watched.
type Optional interface {
	// Enabled reports whether the Mesh enables the component.
	Enabled(mesh *v1alpha1.Mesh) bool
}

// GatewayReader is implemented by components that are rendered from Gateways of the Gateway API.
type GatewayReader interface {
	// ReadsGateways reports whether the Mesh needs them.
	ReadsGateways(mesh *v1alpha1.Mesh) bool
}

// Reporter is implemented by components with objects that users shape. What the API server answers about such an object is published for its user, and is no
// failure of the component.
type Reporter interface {
	// IsOfUser reports whether the objects of a name are those of one user.
	IsOfUser(name string) bool
	// IsReport reports whether an object publishes rejections. It is applied after the others.
	IsReport(object *unstructured.Unstructured) bool
	// Report writes what the API server answered, by the names of rejected objects, into a report that was rendered.
	Report(report *unstructured.Unstructured, rejections map[string]string)
}

// UnsupportedError is returned by Render if the version of the control plane does not support the component.
type UnsupportedError struct {
	// Version is that version, and Remedy says what to do if no upgrade is in progress.
	Version, Remedy string
}

// Error implements error.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("version %s of the control plane does not support it: %s", e.Version, e.Remedy)
}

// Gateway is the kind of Gateways. The operator only reads them.
func Gateway() Kind { return V1("gateway.networking.k8s.io", "Gateway", "gateways") }

// Kind is a kind of objects, with the resource name that roles use.
type Kind struct {
	schema.GroupVersionKind
	// Resource is the plural resource name, such as services.
	Resource string
	// Names are the only names that objects have. The operator may change and delete no others. Empty means any name.
	Names []string
}

// V1 returns a kind in version v1 of a group; "" is the core group.
func V1(group, kind, resource string) Kind {
	return Kind{GroupVersionKind: schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind}, Resource: resource}
}

// Health is the state of a component.
type Health struct {
	// Ready is true when the component works.
	Ready bool
	// Message describes what is missing. It is empty for a component that is ready.
	Message string
}

// Passive is embedded by components without images of their own. It is the health of objects that have no state.
type Passive struct{}

// Images implements Component.
func (Passive) Images() []Image { return nil }

// Health implements Component.
func (Passive) Health([]*unstructured.Unstructured) Health { return Health{Ready: true} }

// Inputs are what components are rendered from.
type Inputs struct {
	// Mesh is the Mesh that owns the component.
	Mesh *v1alpha1.Mesh
	// ControlPlanes are the running control planes: the active one first, then the canary, if there is one.
	ControlPlanes []ControlPlane
	// Members are the namespaces of the mesh, sorted.
	Members []string
	// Aliases are the name suffixes of earlier canaries. Sidecars may still connect to a Service with this suffix.
	Aliases []string
	// Images are the references that replace defaults, by their variables.
	Images map[string]string
	// EnvoyImage and InitImage are those that the Mesh or the MeshConfig sets for new pods. Empty means the image of the control plane.
	EnvoyImage, InitImage string
	// OperatorAuthorities are the certificate authorities of the operator's metrics server, in PEM. Empty if the operator serves no metrics.
	OperatorAuthorities string
	// OperatorAuthoritiesErr is why they are not known; nil if they are.
	OperatorAuthoritiesErr error
	// Gateways are those of the class with the name of the Mesh. Only a GatewayReader has them.
	Gateways []*unstructured.Unstructured
}

// Image returns the reference of an image: that of the Mesh, which may be nil, or of the variable, or the default.
func (i Inputs) Image(image Image, ofMesh *string) string {
	return cmp.Or(ptr.Deref(ofMesh, ""), i.Images[image.Variable], image.Reference)
}

// ControlPlane is one running control plane.
type ControlPlane struct {
	// Release has the manifests of its version.
	Release *operand.Release
	// Parameters are those that its Deployments are rendered with.
	Parameters operand.Parameters
}

// RenderControlPlanes renders each control plane and concatenates the objects.
func RenderControlPlanes(inputs Inputs, render func(ControlPlane) ([]*unstructured.Unstructured, error)) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, controlPlane := range inputs.ControlPlanes {
		objects, err := render(controlPlane)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", controlPlane.Release.Version, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}
