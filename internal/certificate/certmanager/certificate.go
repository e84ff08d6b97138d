package certmanager

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
)

// Request describes the intermediate authority of a mesh.
type Request struct {
	Mesh string
	// Name is the name of the Certificate and of its Secret in Namespace.
	Namespace, Name string
	Issuer          cmmeta.IssuerReference
	Key             certificate.KeySpec
	// Labels are those of the Certificate and of its Secret.
	Labels map[string]string
}

// Certificate returns the Certificate to apply. Its lifetime and renewal are cert-manager's defaults.
func Certificate(r Request) (*unstructured.Unstructured, error) {
	algorithm := cmapi.ECDSAKeyAlgorithm
	if r.Key.Algorithm == certificate.RSA {
		algorithm = cmapi.RSAKeyAlgorithm
	}
	object := &cmapi.Certificate{
		TypeMeta:   metav1.TypeMeta{APIVersion: cmapi.SchemeGroupVersion.String(), Kind: cmapi.CertificateKind},
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name, Labels: r.Labels},
		Spec: cmapi.CertificateSpec{
			CommonName:     "mesh " + r.Mesh,
			SecretName:     r.Name,
			SecretTemplate: &cmapi.CertificateSecretTemplate{Labels: r.Labels},
			IssuerRef:      r.Issuer,
			IsCA:           true,
			Usages:         []cmapi.KeyUsage{cmapi.UsageCertSign, cmapi.UsageCRLSign, cmapi.UsageDigitalSignature},
			PrivateKey: &cmapi.CertificatePrivateKey{
				Algorithm: algorithm, Size: r.Key.Bits, Encoding: cmapi.PKCS8, RotationPolicy: cmapi.RotationPolicyAlways,
			},
		},
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("the Certificate %s/%s cannot be converted: %w", r.Namespace, r.Name, err)
	}
	delete(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	return &unstructured.Unstructured{Object: content}, nil
}

// Reference returns a Certificate with nothing but its name.
func Reference(namespace, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(cmapi.SchemeGroupVersion.WithKind(cmapi.CertificateKind))
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// Problem returns why cert-manager has not issued a Certificate, as its conditions report; empty if it has.
func Problem(live *unstructured.Unstructured) string {
	var object cmapi.Certificate
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &object); err != nil {
		return fmt.Sprintf("its status is not readable: %v", err)
	}
	problem, failure := "cert-manager has not processed it yet", ""
	for _, c := range object.Status.Conditions {
		switch {
		case c.ObservedGeneration != 0 && c.ObservedGeneration != object.Generation:
			// It is about an earlier spec, for example that of another issuer.
		case c.Type == cmapi.CertificateConditionReady && c.Status == cmmeta.ConditionTrue:
			return ""
		case c.Type == cmapi.CertificateConditionIssuing && c.Status == cmmeta.ConditionFalse:
			failure = c.Message
		case c.Message != "":
			problem = c.Message
		}
	}
	return cmp.Or(failure, problem)
}

// Authority reads the authority in a Secret that cert-manager wrote, and reports an error if peers would reject all its certificates. Limits of
// names are checked for each sidecar before the mesh moves.
func Authority(secret *corev1.Secret, now time.Time) (*certificate.Root, error) {
	root, err := decode(secret.Data, now)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority in Secret %s/%s cannot be used: %w", secret.Namespace, secret.Name, err)
	}
	return root, nil
}

func decode(data map[string][]byte, now time.Time) (*certificate.Root, error) {
	if len(data[cmmeta.TLSCAKey]) == 0 {
		return nil, fmt.Errorf("it has no %s: use an issuer that publishes its root", cmmeta.TLSCAKey)
	}
	root, err := certificate.Decode(map[string][]byte{
		certificate.TrustKey: data[cmmeta.TLSCAKey], certificate.ChainKey: data[corev1.TLSCertKey], certificate.SignerKey: data[corev1.TLSPrivateKeyKey],
	})
	if err != nil {
		return nil, err
	}
	if err := root.Valid(now); err != nil {
		return nil, err
	}
	if err := preflight.Probe(root.Path(), now); err != nil {
		return root, fmt.Errorf("peers would reject its certificates: %w", err)
	}
	return root, nil
}

// Requests returns an empty list of CertificateRequests.
func Requests() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(cmapi.SchemeGroupVersion.WithKind(cmapi.CertificateRequestKind + "List"))
	return list
}

// RequestProblem returns why the latest CertificateRequest of a Certificate has no answer, for example because its issuer does not exist; empty
// without one. The Certificate does not have this reason.
func RequestProblem(list *unstructured.UnstructuredList, certificate string) string {
	var latest *cmapi.CertificateRequest
	for i := range list.Items {
		request := &cmapi.CertificateRequest{}
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, request)
		if err != nil || request.Annotations[cmapi.CertificateNameKey] != certificate {
			continue
		}
		if latest == nil || latest.CreationTimestamp.Before(&request.CreationTimestamp) {
			latest = request
		}
	}
	if latest == nil {
		return ""
	}
	if problem := requestProblem(latest.Status.Conditions); problem != "" {
		return fmt.Sprintf("its CertificateRequest %s: %s", latest.Name, problem)
	}
	return ""
}

// requestProblem returns the reason that the conditions have: a denial before others.
func requestProblem(conditions []cmapi.CertificateRequestCondition) string {
	problem, approved := "", false
	for _, c := range conditions {
		isTrue := c.Status == cmmeta.ConditionTrue
		switch {
		case c.Type == cmapi.CertificateRequestConditionDenied && isTrue:
			return "it was denied: " + c.Message
		case c.Type == cmapi.CertificateRequestConditionInvalidRequest && isTrue:
			return "it is invalid: " + c.Message
		case c.Type == cmapi.CertificateRequestConditionReady && isTrue:
			return ""
		case c.Type == cmapi.CertificateRequestConditionReady:
			problem = c.Message
		case c.Type == cmapi.CertificateRequestConditionApproved:
			approved = isTrue
		}
	}
	switch {
	case problem != "":
		return problem
	case !approved:
		return "no approver has approved it"
	}
	return "its issuer has not answered: is the controller of the issuer running?"
}

// IsShared reports whether objects of all namespaces can refer to an issuer. Issuers of other API groups follow the names of cert-manager, for example
// AWSPCAClusterIssuer.
func IsShared(issuer cmmeta.IssuerReference) bool {
	return strings.HasSuffix(issuer.Kind, "ClusterIssuer")
}

// Policies returns an empty list of the policies of approver-policy, an approver of cert-manager.
func Policies() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "policy.cert-manager.io", Version: "v1alpha1", Kind: "CertificateRequestPolicyList"})
	return list
}

// HasPolicy reports whether a policy is about the requests to an issuer. If policies exist and none is, approver-policy cannot approve a request to it, so an
// issuer that issues has another approver.
func HasPolicy(policies *unstructured.UnstructuredList, issuer cmmeta.IssuerReference) bool {
	for i := range policies.Items {
		selector, found, err := unstructured.NestedMap(policies.Items[i].Object, "spec", "selector", "issuerRef")
		if err == nil && found && selects(selector, "name", issuer.Name) && selects(selector, "kind", issuer.Kind) && selects(selector, "group", issuer.Group) {
			return true
		}
	}
	return false
}

// selects reports whether a field of a selector, which can have wildcards, matches. One that is absent matches everything.
func selects(selector map[string]any, field, value string) bool {
	pattern, ok := selector[field].(string)
	if !ok {
		return true
	}
	matches, err := path.Match(pattern, value)
	return err == nil && matches
}
