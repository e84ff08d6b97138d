package takeover

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// tresor is the built-in certificate provider of an Open Service Mesh.
const tresor = "tresor"

// Running is an Open Service Mesh in a namespace, by its Deployments.
type Running struct {
	// Namespace is where it runs.
	Namespace string
	// Exists is true while at least one of its Deployments exists.
	Exists bool
	// HasController is true if its controller has a Deployment.
	HasController bool
	// Mesh, Version and TrustDomain are those of its controller.
	Mesh, Version, TrustDomain string
	// Provider is its certificate provider, and CASecret the Secret with the authority of the built-in one.
	Provider, CASecret string
	// HasRootCertificates is true if MeshRootCertificates decide about its authority.
	HasRootCertificates bool
	// Injects is true while at least one pod of its injector is available.
	Injects bool
}

// ReadRunning reads the Open Service Mesh in a namespace. Deployments of a Mesh do not count.
func ReadRunning(ctx context.Context, live client.Reader, namespace string) (Running, error) {
	var found []appsv1.Deployment
	for _, name := range deployments() {
		var deployment appsv1.Deployment
		err := live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &deployment)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return Running{}, fmt.Errorf("the Deployment %s/%s cannot be read: %w", namespace, name, err)
		}
		found = append(found, deployment)
	}
	return runningOf(namespace, found), nil
}

// runningOf derives an Open Service Mesh from its Deployments.
func runningOf(namespace string, found []appsv1.Deployment) Running {
	o := Running{Namespace: namespace}
	for i := range found {
		d := &found[i]
		if isFromMesh(&metav1.PartialObjectMetadata{ObjectMeta: d.ObjectMeta}) {
			continue
		}
		o.Exists = true
		switch d.Name {
		case names.Injector:
			o.Injects = d.Status.AvailableReplicas > 0
		case names.Controller:
			o.readController(d)
		}
	}
	return o
}

// readController reads the flags of the controller. The defaults are those of OSM's chart.
func (o *Running) readController(d *appsv1.Deployment) {
	flags := map[string]string{}
	for _, container := range d.Spec.Template.Spec.Containers {
		if container.Name == names.Controller || len(d.Spec.Template.Spec.Containers) == 1 {
			flags = flagsOf(container)
		}
	}
	o.HasController = true
	o.Mesh = cmp.Or(flags["mesh-name"], d.Labels[names.MeshNameLabel], names.DefaultMesh)
	o.Version = cmp.Or(flags["osm-version"], d.Labels[names.VersionLabel])
	o.TrustDomain = cmp.Or(flags["trust-domain"], names.DefaultTrustDomain)
	o.Provider = cmp.Or(flags["certificate-manager"], tresor)
	o.CASecret = cmp.Or(flags["ca-bundle-secret-name"], names.CABundleSecret)
	o.HasRootCertificates, _ = strconv.ParseBool(flags["enable-mesh-root-certificate"])
}

// flagsOf returns the flags of a container, written as "--name value" or "--name=value".
func flagsOf(container corev1.Container) map[string]string {
	flags := map[string]string{}
	for i := 0; i < len(container.Args); i++ {
		flag, ok := strings.CutPrefix(container.Args[i], "--")
		if !ok {
			continue
		}
		name, value, assigned := strings.Cut(flag, "=")
		if !assigned && i+1 < len(container.Args) && !strings.HasPrefix(container.Args[i+1], "--") {
			i++
			value = container.Args[i]
		}
		flags[name] = value
	}
	return flags
}

// Mismatch returns why a Mesh cannot take over an Open Service Mesh, with what to change; empty if it can.
func (o Running) Mismatch(state desired.Mesh) string {
	switch {
	case o.Namespace == state.Namespace:
		return fmt.Sprintf("spec.namespace and spec.adoption.from are both %s: give the Mesh a namespace of its own, for example %s-mesh", o.Namespace, state.Name)
	case !o.HasController:
		return fmt.Sprintf("namespace %s has no Deployment %s of an Open Service Mesh: set spec.adoption.from to the namespace in which that runs, or remove spec.adoption", o.Namespace, names.Controller)
	case o.Mesh != state.Name:
		return fmt.Sprintf("the Open Service Mesh in namespace %s has the mesh name %s: create a Mesh named %s instead, because labels of namespaces have that name", o.Namespace, o.Mesh, o.Mesh)
	case o.HasRootCertificates:
		return fmt.Sprintf("MeshRootCertificates decide about the authority of the Open Service Mesh in namespace %s (its flag --enable-mesh-root-certificate): turn that off first", o.Namespace)
	case o.Provider != tresor:
		return fmt.Sprintf("the Open Service Mesh in namespace %s has the certificate provider %s, whose key cannot be copied: a takeover needs the provider %s, "+
			"see docs/migration.md for other ways", o.Namespace, o.Provider, tresor)
	case o.TrustDomain != state.TrustDomain:
		return fmt.Sprintf("the trust domain of the Open Service Mesh in namespace %s is %s, and that of the Mesh is %s: set spec.certificates.trustDomain to %s",
			o.Namespace, o.TrustDomain, state.TrustDomain, o.TrustDomain)
	case state.Provider != v1alpha1.ProviderBuiltIn || state.RotateRoot != "":
		return "the Mesh uses the certificate authority of the Open Service Mesh until the takeover is complete: remove spec.certificates.provider and spec.certificates.rotateRoot until then"
	}
	return ""
}

// Removal is the command that removes the Open Service Mesh.
func (o Running) Removal() string {
	return (Installation{Namespace: o.Namespace, Mesh: o.Mesh}).command()
}
