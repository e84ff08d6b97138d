package operand

import (
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Parameters are the values that differ between meshes. All fields are required, except those whose comment describes an empty value.
type Parameters struct {
	// Mesh is the name of the mesh.
	Mesh string
	// Namespace is where the control plane runs.
	Namespace string
	// OperatorNamespace is the namespace of the operator; pods there are never injected.
	OperatorNamespace string
	// Revision is the name of the MeshRevision.
	Revision string
	// TrustDomain is the suffix of every identity in the mesh.
	TrustDomain string
	// Controller and Injector configure the two Deployments.
	Controller, Injector Workload
	// Scheduling decides where the pods run. The zero value keeps the values of the manifests.
	Scheduling Scheduling
	// LogLevel is the initial log level of both, before they read the MeshConfig. Empty keeps the value of the manifests.
	LogLevel string
	// WebhookClientCA are PEM certificates of authorities for the clients of webhooks. Empty accepts any client.
	WebhookClientCA string
	// KeyAlgorithm is ECDSA or RSA, for the keys of workloads. Empty keeps the value of the manifests.
	KeyAlgorithm string
	// KeySize is in bits. 0 keeps the value of the manifests.
	KeySize int32
	// DrainTimeout is how long connections of an earlier Envoy may last in a pod with two slots. 0 gives new pods one sidecar.
	DrainTimeout time.Duration
	// BridgeUntil is when sidecars of Open Service Mesh are not served any more. The zero time does not serve them.
	BridgeUntil time.Time
	// Images are the images to run and to inject.
	Images Images
	// Sidecar is what the injector gives new pods, as its flag has it. Empty means what the MeshConfig has.
	Sidecar string
	// CanarySuffix is the suffix of a canary control plane, see the function CanarySuffix. Empty renders the mesh's own control plane.
	CanarySuffix string
	// WithoutStatus keeps the controller from writing the status of policies.
	WithoutStatus bool
	// Canary configures the webhook of a canary. Only Webhooks reads it; nil renders no such webhook.
	Canary *CanaryWebhook
}

// Workload configures one Deployment of the control plane.
type Workload struct {
	// Replicas is the number of pods, at least 1. It is ignored with Autoscaling.
	Replicas int32
	// Autoscaling is the range of a HorizontalPodAutoscaler, which then sets the number of pods instead of the Deployment; nil for none.
	Autoscaling *Autoscaling
	// Resources replace the compute resources of the container. nil keeps the value of the manifests.
	Resources *corev1.ResourceRequirements
	// Labels and Annotations are added to the Deployment and to its pods, unless the manifest or the operator sets the same key.
	Labels, Annotations map[string]string
	// Overlay is a strategic merge patch of the pod template; empty for none.
	Overlay []byte
}

// CanaryWebhook configures the webhook of the injector of a canary.
type CanaryWebhook struct {
	// Suffix is the suffix of the canary control plane.
	Suffix string
	// Namespaces are the names of the canary namespaces; at least one.
	Namespaces []string
	// Bundle is the PEM certificate with which the API server verifies the injector.
	Bundle []byte
}

// Images are the images of one control-plane version.
type Images struct {
	// Controller and Injector are run; Init and Sidecar are injected into pods.
	Controller, Injector, Init, Sidecar string
}

// Missing lists the images that are not set.
func (i Images) Missing() []string {
	var missing []string
	for _, image := range []struct{ name, value string }{
		{"controller", i.Controller}, {"injector", i.Injector}, {"init", i.Init}, {"sidecar", i.Sidecar},
	} {
		if image.value == "" {
			missing = append(missing, image.name)
		}
	}
	return missing
}

// workload returns the configuration of the Deployment of a component, or of the canary of that component.
func (p Parameters) workload(name string) Workload {
	if names.Component(name) == names.Injector {
		return p.Injector
	}
	return p.Controller
}

// check returns an error that lists all missing parameters.
func (p Parameters) check() error {
	var problems []error
	for _, required := range []struct{ name, value string }{
		{"mesh name", p.Mesh},
		{"namespace", p.Namespace},
		{"operator namespace", p.OperatorNamespace},
		{"revision", p.Revision},
		{"trust domain", p.TrustDomain},
	} {
		if required.value == "" {
			problems = append(problems, fmt.Errorf("the %s is empty", required.name))
		}
	}
	for _, component := range []string{names.Controller, names.Injector} {
		if w := p.workload(component); w.Autoscaling == nil && w.Replicas < 1 {
			problems = append(problems, fmt.Errorf("%s has %d replicas: at least 1 is required", component, w.Replicas))
		}
	}
	for _, name := range p.Images.Missing() {
		problems = append(problems, fmt.Errorf("the image of the %s is not known: set it in a RELATED_IMAGE variable of the operator's Deployment", name))
	}
	if len(problems) > 0 {
		return fmt.Errorf("the control plane cannot be rendered: %w", errors.Join(problems...))
	}
	return nil
}
