package operand

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// Parameters are what differs from mesh to mesh. All fields are required unless their comment says otherwise.
type Parameters struct {
	// Mesh is the name of the mesh.
	Mesh string
	// Namespace is where the control plane runs.
	Namespace string
	// OperatorNamespace is where the operator itself runs; pods there are never injected.
	OperatorNamespace string
	// Revision is the name of the MeshRevision.
	Revision string
	// TrustDomain is the end of every identity in the mesh.
	TrustDomain string
	// Replicas is the number of pods of the controller and of the injector, at least 1. With Autoscaling it is not read.
	Replicas int32
	// Autoscaling lets a HorizontalPodAutoscaler decide the number of pods: no Deployment then says one. nil means Replicas.
	Autoscaling *Autoscaling
	// Scheduling is where the pods run. The zero value keeps what the manifests say.
	Scheduling Scheduling
	// Resources replace the compute resources of both containers. nil keeps those of the manifests.
	Resources *corev1.ResourceRequirements
	// LogLevel is the log level that both start with, before they read the MeshConfig. Empty keeps that of the manifests.
	LogLevel string
	// KeyAlgorithm is ECDSA or RSA, for the keys of workloads. Empty keeps that of the manifests.
	KeyAlgorithm string
	// KeySize is in bits. 0 keeps that of the manifests.
	KeySize int32
	// Images are the images to run and to inject.
	Images Images
	// Beside is the suffix of a control plane that runs beside the mesh's own, as Suffix makes it. Empty means the mesh's own.
	Beside string
	// Canary sends the pods of some namespaces to the injector of a control plane beside the mesh's own. Only Webhooks reads it; nil
	// means that all go to the mesh's own.
	Canary *Canary
}

// Canary is what the webhook of an injector beside the mesh's own needs.
type Canary struct {
	// Suffix is that of the control plane it belongs to.
	Suffix string
	// Namespaces are those whose pods it decides about, by name; at least one.
	Namespaces []string
	// Bundle is the PEM certificate by which the API server verifies it.
	Bundle []byte
}

// Images are the images of one control-plane version.
type Images struct {
	// Controller and Injector are run; Init and Sidecar are injected into pods.
	Controller, Injector, Init, Sidecar string
}

// Missing names the images that are not set, by the words that a user would use.
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

// check says which required parameter is absent.
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
	if p.Autoscaling == nil && p.Replicas < 1 {
		problems = append(problems, fmt.Errorf("the number of replicas is %d: at least 1 is needed", p.Replicas))
	}
	for _, name := range p.Images.Missing() {
		problems = append(problems, fmt.Errorf("the image of the %s is not known: the operator's Deployment names it in a RELATED_IMAGE variable", name))
	}
	if len(problems) > 0 {
		return fmt.Errorf("the control plane cannot be rendered: %w", errors.Join(problems...))
	}
	return nil
}
