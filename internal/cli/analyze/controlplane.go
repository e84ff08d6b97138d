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
	"github.com/openservicemesh/osm-operator/internal/names"
)

// gap notes something that could not be looked at.
func (a *analysis) gap(what string, err error) {
	reason := err.Error()
	if apierrors.IsForbidden(err) {
		reason = "you are not allowed to read it"
	}
	a.unread = append(a.unread, fmt.Sprintf("%s: %s", what, reason))
}

// foreign are the objects of kinds that the mesh does not act on, where the cluster defines the kinds.
func (a *analysis) foreign(ctx context.Context, c client.Client) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, kind := range NotActedOn() {
		mapping, err := c.RESTMapper().RESTMapping(kind)
		if err != nil {
			continue // the cluster does not know it
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

// declared looks at the Mesh and its MeshConfig.
func (a *analysis) declared(ctx context.Context, c client.Client) {
	mesh := &v1alpha1.Mesh{}
	s := subject{kind: "Mesh", name: a.mesh.Name}
	switch err := c.Get(ctx, client.ObjectKey{Name: a.mesh.Name}, mesh); {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err): // a mesh of another installer
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
		a.add(codeNoMeshConfig, s, "There is no MeshConfig %s in namespace %s, so what no policy allows is denied. The operator makes it when the Mesh is applied.", names.MeshConfig, a.mesh.Namespace)
	}
}

// trust looks at the root certificate in the namespaces of the mesh.
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
			a.add(codeNoTrust, s, "It is missing, so no new pod of namespace %s starts: the operator makes it within seconds; if not, see its log.", namespace)
		case errs[i] != nil:
			a.gap("ConfigMap "+namespace+"/"+s.name, errs[i])
		default:
			s.object = &unstructured.Unstructured{}
			s.object.SetAnnotations(found[i].Annotations)
			a.root(s, found[i].Data[names.CABundleCert])
		}
	}
}

// soon is how long before its end a root certificate is worth a warning.
const soon = 30 * 24 * time.Hour

// root looks at the certificates of a bundle: the one that ends last counts, because an old root stays beside its successor.
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
		a.add(codeNoTrust, s, "It holds no certificate, so no new pod starts: delete it, and the operator makes it again.")
	case left <= 0:
		a.add(codeRootEnded, s, "The root certificate ended on %s: renew the root of the mesh.", end.Format(time.DateOnly))
	case left < soon:
		a.add(codeRootEnds, s, "The root certificate ends on %s: renew the root of the mesh before.", end.Format(time.DateOnly))
	}
}

// targetPolicy is the admission policy about TrafficTargets (config/admission).
const targetPolicy = "traffictarget-namespace.openservicemesh.io"

// admission looks for the webhooks of the mesh and the admission policy.
func (a *analysis) admission(ctx context.Context, c client.Client) {
	for _, wanted := range []struct {
		code, kind, name string
		object           client.Object
		lost             string
	}{
		{codeNoInjector, "MutatingWebhookConfiguration", names.MutatingWebhook(a.mesh.Name), &admissionv1.MutatingWebhookConfiguration{}, "no new pod gets a sidecar"},
		{codeNoValidator, "ValidatingWebhookConfiguration", names.ValidatingWebhook(a.mesh.Name), &admissionv1.ValidatingWebhookConfiguration{}, "policies that the mesh cannot act on are accepted"},
		{codeNoAdmission, "ValidatingAdmissionPolicy", targetPolicy, &admissionv1.ValidatingAdmissionPolicy{}, "TrafficTargets for workloads of other namespaces are accepted, though not acted on"},
	} {
		s := subject{kind: wanted.kind, name: wanted.name}
		switch err := c.Get(ctx, client.ObjectKey{Name: wanted.name}, wanted.object); {
		case apierrors.IsNotFound(err):
			a.add(wanted.code, s, "It does not exist, so %s: the operator makes it again; if not, see its log.", wanted.lost)
		case err != nil:
			a.gap(wanted.kind+" "+wanted.name, err)
		}
	}
}
