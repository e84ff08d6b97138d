package peers

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	meshpeering "github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
)

// review returns the response of the webhook of the mesh to a new MeshPeer.
func (w *testMesh) review(t *testing.T, peer *operatorv1alpha1.MeshPeer) admission.Response {
	t.Helper()
	peer = peer.DeepCopy()
	peer.SetGroupVersionKind(kinds.MeshPeer)
	content, err := json.Marshal(peer)
	if err != nil {
		t.Fatal(err)
	}
	return validate.Admission{CheckMesh: CheckMesh(w.Mesh, w.mesh, w.Domains)}.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: content},
	}})
}

// TestWhatIsNotAcceptedIsRejectedAtAdmission reviews MeshPeers, and stores them as if there was no webhook. A MeshPeer that the mesh cannot accept is rejected
// with the sentence of its status. One that others keep from being accepted has it as a warning, because they can change.
func TestWhatIsNotAcceptedIsRejectedAtAdmission(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	valid := rootAt(t, now)
	type verdict int
	const (
		accepted verdict = iota
		warned
		denied
	)
	for name, test := range map[string]struct {
		change func(*operatorv1alpha1.MeshPeer)
		others []catalog.Entry
		want   verdict
		text   string
	}{
		"valid":                      {want: accepted},
		"the own trust domain":       {change: domain("west.example"), want: denied, text: "in the trust domain west.example of this mesh could have the same names"},
		"below the own trust domain": {change: domain("a.west.example"), want: denied, text: "Accounts in spec.trustDomain a.west.example"},
		"above the own trust domain": {change: domain("example"), want: denied, text: "Accounts in spec.trustDomain example"},
		"a similar trust domain":     {change: domain("awest.example"), want: accepted},
		"no certificate":             {change: roots("-----BEGIN CERTIFICATE-----"), want: denied, text: "spec.trust.caBundle cannot be used, so the peer is not trusted: "},
		"a damaged certificate":      {change: roots("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), want: denied, text: "a root cannot be read"},
		"too many roots":             {change: roots(strings.Repeat(valid, meshpeering.MaxRoots+1)), want: denied, text: "there are more than 8 roots"},
		"an address that is none":    {change: gateway("1::2::3"), want: denied, text: `spec.gateways has the address "1::2::3", which is no IP address and no DNS name`},
		"a name with a long label":   {change: gateway(strings.Repeat("a", 64) + ".example"), want: denied, text: "spec.gateways has the address "},
		"an address of version 6":    {change: gateway("2001:DB8::7"), want: accepted},
		"roots and gateways": {change: func(p *operatorv1alpha1.MeshPeer) {
			roots("-----BEGIN CERTIFICATE-----")(p)
			gateway("::::")(p)
		}, want: denied, text: "there is no root"},
		"the trust domain of an older peer": {others: []catalog.Entry{&catalog.Peer{Name: "old", TrustDomain: "example"}}, want: warned, text: "older MeshPeer old"},
		"too many peers":                    {others: olderPeers(catalog.MaxPeers), want: warned, text: "The mesh has 16 older MeshPeers"},
		"a peer of another mesh": {change: func(p *operatorv1alpha1.MeshPeer) {
			p.Spec.Mesh = "other"
			domain("west.example")(p)
		}, want: accepted},
		"roots of a peer of another mesh": {change: func(p *operatorv1alpha1.MeshPeer) {
			p.Spec.Mesh = "other"
			roots("-----BEGIN CERTIFICATE-----")(p)
		}, want: denied, text: "there is no root"},
	} {
		t.Run(name, func(t *testing.T) {
			peer := meshPeer("east", "east.example", valid)
			peer.CreationTimestamp = metav1.NewTime(now)
			if test.change != nil {
				test.change(peer)
			}
			w := newTestMesh(t, peer)
			w.set(test.others...)
			response := w.review(t, peer)
			texts := response.Warnings
			if !response.Allowed {
				texts = append(texts, response.Result.Message)
			}
			text := strings.Join(texts, " ")
			if response.Allowed == (test.want == denied) || (len(response.Warnings) > 0) != (test.want == warned) || !strings.Contains(text, test.text) {
				t.Fatalf("the response is %+v with %q, want %q", response.AdmissionResponse, text, test.text)
			}
			if peer.Spec.Mesh != w.Mesh {
				return
			}
			w.declare(peer)
			reconcileOne(t, w.peers(), "", "east")
			c := meta.FindStatusCondition(w.peerStatus(t, "east").Conditions, operatorv1alpha1.PeerAccepted)
			if (c.Status == metav1.ConditionTrue) != (test.want == accepted) || test.want != accepted && c.Message != text {
				t.Errorf("the status is %s %q, and the review has %q", c.Status, c.Message, text)
			}
		})
	}
}

func domain(name string) func(*operatorv1alpha1.MeshPeer) {
	return func(p *operatorv1alpha1.MeshPeer) { p.Spec.TrustDomain = name }
}

func roots(bundle string) func(*operatorv1alpha1.MeshPeer) {
	return func(p *operatorv1alpha1.MeshPeer) { p.Spec.Trust.CABundle = operatorv1alpha1.CABundle(bundle) }
}

func gateway(address string) func(*operatorv1alpha1.MeshPeer) {
	return func(p *operatorv1alpha1.MeshPeer) {
		p.Spec.Gateways = []operatorv1alpha1.PeerGatewayAddress{{Address: "192.0.2.1"}, {Address: address}}
	}
}

// TestOtherObjectsAreNotComparedWithTheMesh reviews an object of another kind.
func TestOtherObjectsAreNotComparedWithTheMesh(t *testing.T) {
	w := newTestMesh(t)
	check := CheckMesh(w.Mesh, w.mesh, w.Domains)
	malformed := kinds.Object(kinds.MeshPeer)
	malformed.Object["spec"] = map[string]any{"mesh": "osm", "gateways": 5}
	for _, object := range []*unstructured.Unstructured{kinds.Object(kinds.ServiceExport), malformed} {
		if problems := check(object); len(problems) > 0 {
			t.Errorf("%s has the problems %v", object.GetKind(), problems)
		}
	}
	if rejections, _ := validate.Split(validate.Object(malformed)); !slices.ContainsFunc(rejections, func(m string) bool { return strings.Contains(m, "has the wrong type") }) {
		t.Errorf("a malformed MeshPeer has the rejections %v", rejections)
	}
}
