package analyze

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/socketlb"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// gap records an object that could not be read.
func (a *analysis) gap(what string, err error) {
	reason := err.Error()
	if apierrors.IsForbidden(err) {
		reason = "permission denied"
	}
	a.unread = append(a.unread, fmt.Sprintf("%s: %s", what, reason))
}

// unsupported lists objects of unsupported OSM kinds.
func (a *analysis) unsupported(ctx context.Context, c client.Client) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, kind := range NotActedOn() {
		mapping, err := c.RESTMapper().RESTMapping(kind)
		if err != nil {
			continue // no CRD
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(mapping.GroupVersionKind)
		if err := c.List(ctx, list); err != nil {
			a.gap("objects of kind "+kind.Kind, err)
			continue
		}
		for i := range list.Items {
			list.Items[i].SetGroupVersionKind(mapping.GroupVersionKind)
			all = append(all, &list.Items[i])
		}
	}
	return all
}

// declared analyzes the Mesh and its MeshConfig.
func (a *analysis) declared(ctx context.Context, c client.Client) {
	mesh := &v1alpha1.Mesh{}
	s := subject{kind: "Mesh", name: a.mesh.Name}
	switch err := c.Get(ctx, client.ObjectKey{Name: a.mesh.Name}, mesh); {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err): // installed without a Mesh
	case err != nil:
		a.gap("Mesh "+a.mesh.Name, err)
	default:
		s.object = &unstructured.Unstructured{}
		s.object.SetAnnotations(mesh.Annotations)
		if ready := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status == metav1.ConditionFalse {
			a.add(codeMeshNotReady, s, "%s: %s", ready.Reason, ready.Message)
		}
	}
	if !a.configured() {
		a.add(codeNoMeshConfig, s, "MeshConfig %s not found in namespace %s, so traffic is denied unless a policy allows it. The operator creates it for a Mesh.", names.MeshConfig, a.mesh.Namespace)
	}
}

// trust analyzes the root certificates in the namespaces of the mesh.
func (a *analysis) trust(ctx context.Context, c client.Client) {
	var members []string
	for _, object := range a.mesh.Objects {
		if object.GetKind() == "Namespace" && a.view.InMesh(object.GetName()) {
			members = append(members, object.GetName())
		}
	}
	slices.Sort(members)
	found := make([]*corev1.ConfigMap, len(members))
	errs := make([]error, len(members))
	group := errgroup.Group{}
	group.SetLimit(8)
	for i, namespace := range members {
		group.Go(func() error {
			found[i] = &corev1.ConfigMap{}
			errs[i] = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.TrustConfigMap(a.mesh.Name)}, found[i])
			return nil
		})
	}
	_ = group.Wait() // no function fails
	for i, namespace := range members {
		s := subject{kind: "ConfigMap", namespace: namespace, name: names.TrustConfigMap(a.mesh.Name)}
		switch {
		case apierrors.IsNotFound(errs[i]):
			a.add(codeNoTrust, s, "The ConfigMap is missing, so new pods in namespace %s do not start: the operator creates it within seconds; if not, see the operator's log.", namespace)
		case errs[i] != nil:
			a.gap("ConfigMap "+namespace+"/"+s.name, errs[i])
		default:
			s.object = &unstructured.Unstructured{}
			s.object.SetAnnotations(found[i].Annotations)
			a.root(s, found[i].Data[names.CABundleCert])
		}
	}
}

// soon is the remaining validity below which a root certificate causes a warning.
const soon = 30 * 24 * time.Hour

// root analyzes the certificates of a bundle. It uses the latest expiry, because the bundle keeps an old root during rotation.
func (a *analysis) root(s subject, bundle string) {
	var end time.Time
	for rest := []byte(bundle); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil && certificate.NotAfter.After(end) {
			end = certificate.NotAfter
		}
	}
	switch left := end.Sub(a.mesh.Now); {
	case end.IsZero():
		a.add(codeNoTrust, s, "The ConfigMap has no certificate, so new pods do not start: delete it, and the operator recreates it.")
	case left <= 0:
		a.add(codeRootEnded, s, "The root certificate expired on %s: renew the root of the mesh.", end.Format(time.DateOnly))
	case left < soon:
		a.add(codeRootEnds, s, "The root certificate expires on %s: renew the root of the mesh.", end.Format(time.DateOnly))
	}
}

// targetPolicy is the name of the admission policy for TrafficTargets in config/admission.
const targetPolicy = "traffictarget-namespace.openservicemesh.io"

// admission reports missing webhooks and admission policies.
func (a *analysis) admission(ctx context.Context, c client.Client) {
	for _, desired := range []struct {
		code, kind, name string
		object           client.Object
		lost             string
	}{
		{codeNoInjector, "MutatingWebhookConfiguration", names.MutatingWebhook(a.mesh.Name), &admissionv1.MutatingWebhookConfiguration{}, "new pods get no sidecar"},
		{codeNoValidator, "ValidatingWebhookConfiguration", names.ValidatingWebhook(a.mesh.Name), &admissionv1.ValidatingWebhookConfiguration{}, "invalid policies are accepted"},
		{codeNoAdmission, "ValidatingAdmissionPolicy", targetPolicy, &admissionv1.ValidatingAdmissionPolicy{}, "TrafficTargets for workloads in other namespaces are accepted, but ignored"},
	} {
		s := subject{kind: desired.kind, name: desired.name}
		switch err := c.Get(ctx, client.ObjectKey{Name: desired.name}, desired.object); {
		case apierrors.IsNotFound(err):
			a.add(desired.code, s, "The object is missing, so %s: the operator recreates it; if not, see the operator's log.", desired.lost)
		case err != nil:
			a.gap(desired.kind+" "+desired.name, err)
		}
	}
}

// network reports a network in which sidecars cannot see the addresses of Services.
func (a *analysis) network(ctx context.Context, c client.Client) {
	found, err := socketlb.Find(ctx, c)
	if err != nil {
		a.gap("the settings of the network", err)
	}
	for _, setting := range found {
		a.add(codeSocketLB, subject{kind: "Mesh", name: a.mesh.Name}, "%s, so sidecars cannot apply policies: %s (%s).", setting.Problem,
			setting.Remedy, setting.Where)
	}
}
