package operand

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The manifest files of each version.
const (
	servicesFile   = "services.yaml"
	controllerFile = "controller.yaml"
	injectorFile   = "injector.yaml"
	webhooksFile   = "webhooks.yaml"
)

// Services renders the Services of a mesh, which all versions of its control plane share.
func (r *Release) Services(p Parameters) ([]*unstructured.Unstructured, error) {
	p.CanarySuffix = ""
	return r.render(p, servicesFile)
}

// ControlPlane renders the objects of one MeshRevision: service accounts, roles, bindings and Deployments. With
// Parameters.CanarySuffix all of them have other names and selectors than the mesh's own.
func (r *Release) ControlPlane(p Parameters) ([]*unstructured.Unstructured, error) {
	objects, err := r.controlPlane(p, func(kind string) bool { return kind != disruptionBudget })
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
		if err := Overlay(object, p.workload(object.GetName()).Overlay); err != nil {
			return nil, fmt.Errorf("version %s: %w", r.Version, err)
		}
	}
	return objects, nil
}

// disruptionBudget is the kind of PodDisruptionBudgets, which the manifests of a control plane contain.
const disruptionBudget = "PodDisruptionBudget"

// controlPlane renders the objects of some kinds from the manifests of the control plane.
func (r *Release) controlPlane(p Parameters, include func(kind string) bool) ([]*unstructured.Unstructured, error) {
	objects, err := r.render(p, controllerFile, injectorFile)
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		// A canary uses the reader of the mesh.
		return !include(o.GetKind()) || p.CanarySuffix != "" && strings.HasPrefix(o.GetName(), names.ReportReader)
	}), err
}

// DisruptionBudgets renders a PodDisruptionBudget for each Deployment with more than one replica. With one replica it would block the drain of a
// node.
func (r *Release) DisruptionBudgets(p Parameters) ([]*unstructured.Unstructured, error) {
	objects, err := r.controlPlane(p, func(kind string) bool { return kind == disruptionBudget })
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		w := p.workload(o.GetName())
		return w.Autoscaling == nil && w.Replicas < 2
	}), err
}

// Autoscalers renders a HorizontalPodAutoscaler for each Deployment with autoscaling.
func (r *Release) Autoscalers(p Parameters) ([]*unstructured.Unstructured, error) {
	objects, err := r.controlPlane(p, func(kind string) bool { return kind == "Deployment" })
	if err != nil {
		return nil, err
	}
	return autoscalers(objects, p)
}

// Webhooks renders the webhook configurations of a mesh. The bundles are the PEM certificates with which the API server
// verifies the injector and the validator. With Parameters.Canary the injection configuration has two webhooks, and each namespace matches
// exactly one of them. Both are in one object, so a write changes them atomically.
func (r *Release) Webhooks(p Parameters, injectorBundle, validatorBundle []byte) ([]*unstructured.Unstructured, error) {
	p.CanarySuffix = ""
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
		if err := addCanaryWebhook(object, p.Canary); err != nil {
			return nil, fmt.Errorf("%s of version %s cannot be rendered: %w", object.GetName(), r.Version, err)
		}
	}
	return objects, nil
}

// render copies the objects of some files and sets their names, namespaces and labels.
func (r *Release) render(p Parameters, files ...string) ([]*unstructured.Unstructured, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	objects, err := r.copies(files...)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		addCanarySuffix(object, p.CanarySuffix)
		setNamespace(object, p)
		addLabels(object, r.Version, p)
		if err := bind(object, p); err != nil {
			return nil, fmt.Errorf("%s %s of version %s cannot be rendered: %w", object.GetKind(), object.GetName(), r.Version, err)
		}
	}
	return objects, nil
}

// clusterScoped are the kinds without a namespace, whose names must be unique in the cluster.
var clusterScoped = map[string]bool{
	"ClusterRole": true, "ClusterRoleBinding": true,
	"MutatingWebhookConfiguration": true, "ValidatingWebhookConfiguration": true,
}

// setNamespace sets the namespace of the mesh, or adds the mesh to the name of a cluster-scoped object.
func setNamespace(object *unstructured.Unstructured, p Parameters) {
	if clusterScoped[object.GetKind()] {
		object.SetName(object.GetName() + "-" + p.Mesh)
		return
	}
	object.SetNamespace(p.Namespace)
}

// addLabels adds the labels of every object of a mesh.
func addLabels(object *unstructured.Unstructured, version string, p Parameters) {
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, Labels(p.Mesh, version))
	if _, ok := labels[names.MeshNameLabel]; ok {
		labels[names.MeshNameLabel] = p.Mesh
	}
	object.SetLabels(labels)
}

// Labels are the labels that every object of a mesh has. An empty version omits the version label, for objects
// that all versions share. The label app.kubernetes.io/instance is missing: Argo CD takes an object with it and without owner for a part of the
// Application of that name, and would prune it.
func Labels(mesh, version string) map[string]string {
	labels := map[string]string{
		names.NameLabel: names.AppName,
		names.MeshLabel: mesh,
	}
	if version != "" {
		labels[names.VersionLabel] = version
	}
	return labels
}

// IsOf reports whether pods of the control plane with these labels are of a MeshRevision. Versions before v0.6 name only their version.
func IsOf(labels map[string]string, version, revision string) bool {
	named := labels[names.ControlPlaneRevisionLabel]
	return labels[names.VersionLabel] == version && (named == "" || named == revision)
}

// AreOfOneRevision reports whether pods of the control plane with these labels are of the same MeshRevision. Versions before v0.6 name only their version.
func AreOfOneRevision(a, b map[string]string) bool {
	return a[names.VersionLabel] == b[names.VersionLabel] && a[names.ControlPlaneRevisionLabel] == b[names.ControlPlaneRevisionLabel]
}

// flags returns the values of the flags that a manifest may list. An empty value keeps that of the manifest.
func flags(p Parameters) map[string]string {
	values := map[string]string{
		"mesh-name":          p.Mesh,
		"osm-namespace":      p.Namespace,
		"trust-domain":       p.TrustDomain,
		"revision":           p.Revision,
		"log-level":          p.LogLevel,
		"cert-key-algorithm": p.KeyAlgorithm,
		"webhook-client-ca":  p.WebhookClientCA,
		xdsHostFlag:          names.ServiceHost(names.WithSuffix(names.Controller, p.CanarySuffix), p.Namespace),
		sidecarFlag:          p.Sidecar,
		writeStatusFlag:      strconv.FormatBool(p.CanarySuffix == "" && !p.WithoutStatus),
		"in-place":           strconv.FormatBool(p.DrainTimeout > 0),
	}
	if p.DrainTimeout > 0 {
		values["drain-bound"] = p.DrainTimeout.String()
	}
	if !p.BridgeUntil.IsZero() {
		values["bridge-until"] = p.BridgeUntil.UTC().Format(time.RFC3339)
	}
	if p.KeySize != 0 {
		values["cert-key-size"] = strconv.Itoa(int(p.KeySize))
	}
	return values
}
