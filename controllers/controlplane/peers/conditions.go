package peers

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

// expiryWarning is how long before its end the expiry of a root is reported, as for roots of this mesh.
const expiryWarning = 30 * 24 * time.Hour

// newCondition returns a condition.
func newCondition(kind string, status metav1.ConditionStatus, reason, format string, args ...any) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// conditions returns the conditions of a peer. before are the present ones, and last is when it was last connected.
func (o observation) conditions(before []metav1.Condition, last *metav1.Time) []metav1.Condition {
	list := []metav1.Condition{o.accepted(), o.trustReady(), o.connected(before, last), o.compatible()}
	if o.state.Trusted.Differs {
		list = append(list, o.differs())
	}
	return list
}

// isAccepted reports whether the peer is accepted.
func (o observation) isAccepted() bool { return o.own == "" && len(o.problems) == 0 && o.counts }

func (o observation) accepted() metav1.Condition {
	reject := func(reason, text string) metav1.Condition {
		return newCondition(operatorv1alpha1.PeerAccepted, metav1.ConditionFalse, reason, "%s", text)
	}
	switch {
	case o.own != "":
		return reject(ReasonSharedTrustDomain, o.own)
	case len(o.problems) > 0:
		return reject(reasonOf(o.problems[0]), messagesOf(o.problems))
	case o.older != nil:
		return reject(ReasonSharedTrustDomain, peering.SharedWithPeer(o.trustDomain, o.older))
	case !o.counts:
		return reject(ReasonTooManyPeers, peering.TooManyPeers())
	}
	if omitted := o.exported.Omitted; omitted != (peering.Omitted{}) {
		return newCondition(operatorv1alpha1.PeerAccepted, metav1.ConditionTrue, ReasonExportsLimited,
			"The peer is accepted. Limits omit from what it is offered: %d Services, %d ports and %d accounts. A mesh offers at most %d Services with %d ports, and %d accounts of each.",
			omitted.Services, omitted.Ports, omitted.Accounts, peering.MaxServices, peering.MaxPorts, peering.MaxAccounts)
	}
	return newCondition(operatorv1alpha1.PeerAccepted, metav1.ConditionTrue, ReasonAccepted, "The peer is accepted.")
}

// reasonOf returns the reason for which a MeshPeer is not accepted that has a problem.
func reasonOf(problem ingest.Problem) string {
	if problem.Reason == ingest.ReasonInvalidName {
		return ReasonInvalidGateways
	}
	return ReasonInvalidRoots
}

func (o observation) trustReady() metav1.Condition {
	roots, err := peering.ParseRoots(o.trusted)
	if err != nil {
		return newCondition(operatorv1alpha1.PeerTrustReady, metav1.ConditionFalse, ReasonInvalidRoots, "%s", peering.UnusableRoots(err))
	}
	valid := slices.DeleteFunc(roots, func(c *x509.Certificate) bool { return o.now.Before(c.NotBefore) || o.now.After(c.NotAfter) })
	if len(valid) == 0 {
		return newCondition(operatorv1alpha1.PeerTrustReady, metav1.ConditionFalse, ReasonRootsExpired,
			"No root of the peer is valid now. Commit the output of `osm peer show` of the other mesh.")
	}
	last := slices.MaxFunc(valid, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
	if last.Sub(o.now) < expiryWarning {
		return newCondition(operatorv1alpha1.PeerTrustReady, metav1.ConditionTrue, ReasonRootsExpireSoon,
			"The last valid root of the peer expires at %s: the other mesh needs a new one, and this MeshPeer then the output of its `osm peer show`.", format(last))
	}
	return newCondition(operatorv1alpha1.PeerTrustReady, metav1.ConditionTrue, ReasonTrusted, "%d roots of the peer are trusted. The last one expires at %s.",
		len(valid), format(last))
}

// format formats a time for a message.
func format(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func (o observation) connected(before []metav1.Condition, last *metav1.Time) metav1.Condition {
	const kind = operatorv1alpha1.PeerConnected
	if !o.isAccepted() {
		return newCondition(kind, metav1.ConditionFalse, ReasonNotAccepted, "There is no connection to a peer that is not accepted.")
	}
	if problems := o.recordProblems(); o.state.Connected && len(problems) > 0 {
		var texts []string
		for _, p := range problems {
			texts = append(texts, fmt.Sprintf("%s: %d, first %s", p.Reason, p.Count, p.Message))
		}
		return newCondition(kind, metav1.ConditionTrue, ReasonRecordsRejected,
			"The control planes are connected. Rejected records of the peer, whose earlier versions remain in force: %s.", strings.Join(texts, "; "))
	}
	if o.state.Connected {
		return newCondition(kind, metav1.ConditionTrue, ReasonConnected, "The control planes are connected.")
	}
	problem, failed := o.streamProblem()
	if earlier := meta.FindStatusCondition(before, kind); !failed && earlier != nil && earlier.Reason != ReasonNotAccepted {
		return *earlier // the first attempt since the start has no result yet
	}
	if !failed {
		return newCondition(kind, metav1.ConditionUnknown, ReasonConnecting, "The first attempt to connect has no result yet.")
	}
	since := "since the MeshPeer was created"
	if last != nil {
		since = "since about " + format(last.Time)
	}
	return newCondition(kind, metav1.ConditionFalse, string(problem.Reason), "There is no connection %s: %s. Workloads keep what is known. Check spec.gateways, that the other "+
		"mesh declares this one with its present roots, and that its peer gateway admits the addresses of this cluster.", since, withoutLocalAddress(problem.Message))
}

// withoutLocalAddress removes the local address from the error of a connection, because its port differs at each attempt.
func withoutLocalAddress(text string) string {
	local, remote, found := strings.Cut(text, "->")
	if !found {
		return text
	}
	return local[:strings.LastIndexByte(local, ' ')+1] + remote
}

func (o observation) compatible() metav1.Condition {
	const kind = operatorv1alpha1.PeerCompatible
	switch {
	case o.state.Version == "":
		return newCondition(kind, metav1.ConditionUnknown, ReasonNotConnected, "The version of the peer is not known before the first connection.")
	case !o.state.Compatible:
		return newCondition(kind, metav1.ConditionFalse, ReasonVersionsDiffer,
			"The peer has version %s and this mesh %s, more than one minor version apart: upgrade the older one. Until then, parts of what they exchange may be rejected.",
			o.state.Version, o.version)
	}
	return newCondition(kind, metav1.ConditionTrue, ReasonCompatible, "The peer has version %s, and this mesh %s.", o.state.Version, o.version)
}

// differs describes that the peer has other roots than its MeshPeer declares.
func (o observation) differs() metav1.Condition {
	const kind = operatorv1alpha1.PeerTrustDiffersFromDeclaration
	sent := strings.Join(o.state.Fingerprints, ", ")
	commit := "Compare the fingerprints with those of `osm peer show` of the other mesh, and commit its output."
	if until := o.state.Trusted.Until; !until.IsZero() {
		return newCondition(kind, metav1.ConditionTrue, ReasonRootsFollowed,
			"The peer has changed its roots to those with the fingerprints %s. Roots that spec.trust.caBundle does not have are trusted until %s. %s", sent, format(until), commit)
	}
	return newCondition(kind, metav1.ConditionTrue, ReasonRootsNotFollowed,
		"The peer has the roots with the fingerprints %s, which are not those of spec.trust.caBundle. Only those of spec.trust.caBundle are trusted. %s", sent, commit)
}
