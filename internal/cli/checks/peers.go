package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Peers checks what the mesh needs for peers, and each MeshPeer.
func (s Subject) Peers(ctx context.Context) []diagnosis.Finding {
	own, err := health.MeshPeers(ctx, s.Client, s.Mesh)
	if meta.IsNoMatchError(err) {
		return []diagnosis.Finding{diagnosis.Fail("upgrade the operator", "the cluster does not define MeshPeers")}
	}
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("MeshPeers", err)}
	}
	groups := []diagnosis.Finding{diagnosis.Group("readiness for peers", slices.Concat(s.ownTrustDomain(ctx, own), s.peerGateway(ctx), s.consentsOfOthers(ctx))...)}
	if len(own) == 0 {
		remedy := "apply the output of `osm peer show NAME` of the other mesh"
		return append(groups, diagnosis.Group("peers", diagnosis.Finding{Severity: diagnosis.Info, Message: "the mesh has no MeshPeer", Remedy: remedy}))
	}
	return append(groups, groupsOf(own)...)
}

// DeclaredPeers checks each MeshPeer of the mesh, a group for each. There is none if users may not read MeshPeers.
func (s Subject) DeclaredPeers(ctx context.Context) []diagnosis.Finding {
	own, err := health.MeshPeers(ctx, s.Client, s.Mesh)
	if meta.IsNoMatchError(err) || apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return []diagnosis.Finding{diagnosis.Group("peers", diagnosis.Unread("MeshPeers", err))}
	}
	return groupsOf(own)
}

func groupsOf(peers []v1alpha1.MeshPeer) []diagnosis.Finding {
	var groups []diagnosis.Finding
	for i := range peers {
		groups = append(groups, diagnosis.Group("peer "+peers[i].Name, peerFindings(&peers[i])...))
	}
	return groups
}

// ownTrustDomain checks that no account of a peer can have the name of an account of this mesh.
func (s Subject) ownTrustDomain(ctx context.Context, peers []v1alpha1.MeshPeer) []diagnosis.Finding {
	var m v1alpha1.Mesh
	if err := s.Client.Get(ctx, client.ObjectKey{Name: s.Mesh}, &m); err != nil {
		return []diagnosis.Finding{diagnosis.Unread("Mesh "+s.Mesh, err)}
	}
	if m.Status.Certificates == nil || m.Status.Certificates.TrustDomain == "" {
		return []diagnosis.Finding{diagnosis.Unread("the trust domain of Mesh "+s.Mesh, fmt.Errorf("it has no status yet"))}
	}
	domain := m.Status.Certificates.TrustDomain
	var findings []diagnosis.Finding
	for i := range peers {
		if other := peers[i].Spec.TrustDomain; identity.SharesNames(domain, other) {
			findings = append(findings, diagnosis.Fail(moveRemedy,
				"the trust domain %s of the peer %s is that of this mesh, %s, or one is below the other, so accounts of both could have the same names", other, peers[i].Name, domain))
		}
	}
	if domain == names.DefaultTrustDomain {
		findings = append(findings, diagnosis.Warn(moveRemedy, "the mesh has the default trust domain %s: a peer with the same one is not accepted", domain))
	}
	if len(findings) == 0 {
		findings = append(findings, diagnosis.Pass("the trust domain is %s", domain))
	}
	return findings
}

// moveRemedy says how a mesh gets another trust domain, and how long that takes.
const moveRemedy = "set spec.certificates.trustDomain of one Mesh: it moves without downtime, in about the lifetime of a certificate, see docs/certificates.md"

// peerGateway checks the component through which peers are reached.
func (s Subject) peerGateway(ctx context.Context) []diagnosis.Finding {
	var service corev1.Service
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: names.PeerGateway}, &service)
	if apierrors.IsNotFound(err) {
		return []diagnosis.Finding{diagnosis.Fail("set spec.peerGateway.mode of the Mesh to Managed", "the mesh has no peer gateway, so no connection to or from a peer is possible")}
	}
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("the Service of the peer gateway", err)}
	}
	findings := []diagnosis.Finding{diagnosis.Pass("the peer gateway has a Service of type %s", service.Spec.Type)}
	if service.Spec.Type == corev1.ServiceTypeLoadBalancer && len(service.Status.LoadBalancer.Ingress) == 0 {
		findings = append(findings, diagnosis.Warn("wait, or see the events of the Service", "the load balancer of the peer gateway has no address yet"))
	}
	return findings
}

// consentsOfOthers counts the exports and imports that belong to another controller of the Multi-Cluster Services API.
func (s Subject) consentsOfOthers(ctx context.Context) []diagnosis.Finding {
	var findings []diagnosis.Finding
	for _, kind := range []schema.GroupVersionKind{kinds.ServiceExport, kinds.ServiceImport} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := s.Client.List(ctx, list); err != nil {
			if !meta.IsNoMatchError(err) {
				findings = append(findings, diagnosis.Unread(kind.Kind+"s", err))
			}
			continue
		}
		others := slices.DeleteFunc(list.Items, func(u unstructured.Unstructured) bool { return u.GetLabels()[names.PeerLabel] != "" })
		if len(others) > 0 {
			findings = append(findings, diagnosis.Finding{
				Severity: diagnosis.Info,
				Message: fmt.Sprintf("%d objects of the kind %s have no label %s, such as %s/%s: they belong to another controller, and the mesh leaves them alone",
					len(others), kind.Kind, names.PeerLabel, others[0].GetNamespace(), others[0].GetName()),
			})
		}
	}
	return findings
}

// peerFindings are the conditions of a MeshPeer as findings.
func peerFindings(peer *v1alpha1.MeshPeer) []diagnosis.Finding {
	var findings []diagnosis.Finding
	for _, kind := range []string{v1alpha1.PeerAccepted, v1alpha1.PeerTrustReady, v1alpha1.PeerConnected, v1alpha1.PeerCompatible} {
		findings = append(findings, peerCondition(peer, kind))
	}
	if c := meta.FindStatusCondition(peer.Status.Conditions, v1alpha1.PeerTrustDiffersFromDeclaration); c != nil && c.Status == metav1.ConditionTrue {
		findings = append(findings, diagnosis.Warn("commit the roots: run `osm peer show` in the other mesh, and compare the fingerprints", "%s", c.Message))
	}
	if len(peer.Status.RootFingerprints) > 0 {
		findings = append(findings, diagnosis.Pass("trusted roots: %s", strings.Join(peer.Status.RootFingerprints, ", ")))
	}
	if len(peer.Status.AcknowledgedRoots) > 0 {
		findings = append(findings, diagnosis.Pass("roots of this mesh that it acknowledges: %s", strings.Join(peer.Status.AcknowledgedRoots, ", ")))
	}
	return append(findings, diagnosis.Pass("it may call %d Services of this mesh, and %d of its Services are imported", peer.Status.Exports, peer.Status.Imports))
}

// peerCondition is one condition as a finding. Only the first two stop a peer: without a connection, workloads keep what they know.
func peerCondition(peer *v1alpha1.MeshPeer, kind string) diagnosis.Finding {
	c := meta.FindStatusCondition(peer.Status.Conditions, kind)
	switch {
	case c == nil:
		return diagnosis.Warn("see the log of osm-controller", "condition %s is not set yet", kind)
	case c.Status == metav1.ConditionTrue:
		return diagnosis.Pass("%s: %s", kind, c.Message)
	case kind == v1alpha1.PeerCompatible && c.Status == metav1.ConditionUnknown, kind == v1alpha1.PeerConnected && peer.Status.LastConnectedTime == nil:
		return diagnosis.Warn(peerRemedies[kind], "%s, %s: %s", kind, c.Reason, c.Message)
	}
	return diagnosis.Fail(peerRemedies[kind], "%s is %s, %s: %s", kind, c.Status, c.Reason, c.Message)
}

// peerRemedies are what to do about a condition that is not true.
var peerRemedies = map[string]string{
	v1alpha1.PeerConnected:  "check the addresses in spec.gateways, that the other mesh declares this one, and that its peer gateway admits the addresses of this cluster",
	v1alpha1.PeerCompatible: "upgrade the older of the two meshes",
}
