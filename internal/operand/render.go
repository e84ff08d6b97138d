package operand

import (
	"fmt"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// The files of each version.
const (
	servicesFile   = "services.yaml"
	controllerFile = "controller.yaml"
	injectorFile   = "injector.yaml"
	webhooksFile   = "webhooks.yaml"
)

// Services renders the Services of a mesh, which outlive each version of its control plane.
func (r *Release) Services(p Parameters) ([]*unstructured.Unstructured, error) {
	p.Beside = ""
	return r.render(p, servicesFile)
}

// ControlPlane renders what one MeshRevision consists of: accounts, permissions, Deployments, disruption budgets when there
// is or may be more than one replica, and autoscalers. With Parameters.Beside all of them have other names and other selectors than
// those of the mesh's own.
func (r *Release) ControlPlane(p Parameters) ([]*unstructured.Unstructured, error) {
	if p.Beside != "" {
		if err := r.CanRunBeside(); err != nil {
			return nil, err
		}
	}
	objects, err := r.render(p, controllerFile, injectorFile)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		if err := editDeployment(object, func(d *deployment) error { return fillDeployment(d, r.Version, p) }); err != nil {
			return nil, fmt.Errorf("the Deployment %s of version %s cannot be rendered: %w", object.GetName(), r.Version, err)
		}
	}
	if p.Autoscaling != nil {
		scaled, err := autoscalers(objects, *p.Autoscaling)
		return append(objects, scaled...), err
	}
	if p.Replicas > 1 {
		return objects, nil
	}
	// With one replica a budget would only keep its node from being drained.
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "PodDisruptionBudget" }), nil
}

// Webhooks renders the webhook configurations of a mesh. The bundles are the PEM certificates by which the API server verifies
// the injector and the validator. With Parameters.Canary the injection configuration holds two webhooks, and each namespace belongs to
// exactly one of them, also at the moment when it is written.
func (r *Release) Webhooks(p Parameters, injectorBundle, validatorBundle []byte) ([]*unstructured.Unstructured, error) {
	p.Beside = ""
	objects, err := r.render(p, webhooksFile)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		bundle := injectorBundle
		if object.GetKind() == "ValidatingWebhookConfiguration" {
			bundle = validatorBundle
		}
		if err := fillWebhooks(object, p, bundle); err != nil {
			return nil, fmt.Errorf("%s of version %s cannot be rendered: %w", object.GetName(), r.Version, err)
		}
		if err := addCanary(object, p.Canary); err != nil {
			return nil, fmt.Errorf("%s of version %s cannot be rendered: %w", object.GetName(), r.Version, err)
		}
	}
	return objects, nil
}

// render copies the objects of some files and gives them names, namespaces and labels.
func (r *Release) render(p Parameters, files ...string) ([]*unstructured.Unstructured, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	objects, err := r.copies(files...)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		moveBeside(object, p.Beside)
		place(object, p)
		label(object, r.Version, p)
		if err := bind(object, p); err != nil {
			return nil, fmt.Errorf("%s %s of version %s cannot be rendered: %w", object.GetKind(), object.GetName(), r.Version, err)
		}
	}
	return objects, nil
}

// clusterScoped are the kinds whose names are shared by all meshes of a cluster.
var clusterScoped = map[string]bool{
	"ClusterRole": true, "ClusterRoleBinding": true,
	"MutatingWebhookConfiguration": true, "ValidatingWebhookConfiguration": true,
}

// place puts an object into the namespace of the mesh, or makes its name unique among the meshes of the cluster.
func place(object *unstructured.Unstructured, p Parameters) {
	if clusterScoped[object.GetKind()] {
		object.SetName(object.GetName() + "-" + p.Mesh)
		return
	}
	object.SetNamespace(p.Namespace)
}

// label adds the labels that every object of a mesh has.
func label(object *unstructured.Unstructured, version string, p Parameters) {
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	for key, value := range Labels(p.Mesh, version) {
		labels[key] = value
	}
	if _, ok := labels[names.MeshNameLabel]; ok {
		labels[names.MeshNameLabel] = p.Mesh
	}
	object.SetLabels(labels)
}

// Labels are the labels that every object of a mesh has. An empty version leaves its label out: for what outlives versions.
func Labels(mesh, version string) map[string]string {
	labels := map[string]string{
		names.NameLabel:     names.AppName,
		names.InstanceLabel: mesh,
		names.MeshLabel:     mesh,
	}
	if version != "" {
		labels[names.VersionLabel] = version
	}
	return labels
}

// flags are the values of the flags that a manifest may list. An empty one keeps the value in the manifest.
func flags(p Parameters) map[string]string {
	values := map[string]string{
		"mesh-name":          p.Mesh,
		"osm-namespace":      p.Namespace,
		"trust-domain":       p.TrustDomain,
		"revision":           p.Revision,
		"log-level":          p.LogLevel,
		"cert-key-algorithm": p.KeyAlgorithm,
		xdsHostFlag:          names.ServiceHost(names.Beside(names.Controller, p.Beside), p.Namespace),
		writeStatusFlag:      strconv.FormatBool(p.Beside == ""),
	}
	if p.KeySize != 0 {
		values["cert-key-size"] = strconv.Itoa(int(p.KeySize))
	}
	return values
}
