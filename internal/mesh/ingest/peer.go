package ingest

import (
	"strconv"
	"strings"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// PeerServiceAccount is the kind of a source of a TrafficTarget that is an account of a peer. Its name is "<peer>/<service account>". Open Service Mesh
// ignores the kind of a source, and would grant a local account what is meant for one of a peer. No local account has a slash in its name.
const PeerServiceAccount = "PeerServiceAccount"

// peerAccountOf reads a source that is an account of a peer.
func peerAccountOf(path string, subject accessv1alpha3.IdentityBindingSubject, found *Problems) (identity.PeerAccount, bool) {
	peer, name, ok := identity.SplitPeerName(subject.Name)
	switch {
	case !ok:
		found.Reject(ReasonInvalidName, "%s.name %.80q is not the name of an account of a peer, so it is ignored: write <peer>/<service account>.", path, subject.Name)
	case len(validation.IsDNS1123Label(peer)) > 0:
		found.Reject(ReasonInvalidName, "%s.name %.80q begins with %.40q, which is not the name of a MeshPeer, so it is ignored.", path, subject.Name, peer)
	case len(validation.IsDNS1123Label(subject.Namespace)) > 0:
		found.Reject(ReasonInvalidName, "%s.namespace %.80q is not the name of a namespace, so it is ignored: write the namespace of the account in the cluster of the peer.", path, subject.Namespace)
	case len(validation.IsDNS1123Subdomain(name)) > 0:
		found.Reject(ReasonInvalidName, "%s.name %.80q ends with %.80q, which is not the name of a service account, so it is ignored.", path, subject.Name, name)
	default:
		return identity.PeerAccount{Peer: peer, Namespace: subject.Namespace, Name: name}, true
	}
	return identity.PeerAccount{}, false
}

// ServiceExport reads a ServiceExport of multicluster.x-k8s.io. One without the label of a peer belongs to another controller, and has no entry.
func ServiceExport(u *unstructured.Unstructured) (*catalog.ServiceExport, []Problem) {
	var found Problems
	peer, labelled := u.GetLabels()[names.PeerLabel]
	switch {
	case !labelled:
		return nil, nil
	case peer == names.AnyPeer:
		return &catalog.ServiceExport{Name: NameOf(u), Any: true}, nil
	case isPeerName(peer, "a ServiceExport", " or "+names.AnyPeer, &found):
		return &catalog.ServiceExport{Name: NameOf(u), Peer: peer}, nil
	}
	return nil, found
}

// ServiceImport reads a ServiceImport of multicluster.x-k8s.io, as ServiceExport does. It has one peer: nobody else can answer in its place.
func ServiceImport(u *unstructured.Unstructured) (*catalog.ServiceImport, []Problem) {
	var found Problems
	peer, labelled := u.GetLabels()[names.PeerLabel]
	if !labelled || !isPeerName(peer, "a ServiceImport", "", &found) {
		return nil, found
	}
	out := &catalog.ServiceImport{Name: NameOf(u), Peer: peer}
	if !joinPeer(u.GetAnnotations(), out, &found) {
		return nil, found
	}
	return out, found
}

// joinPeer reads how a Service of a peer is joined with one with pods. It returns false if the annotations cannot be used.
func joinPeer(annotations map[string]string, out *catalog.ServiceImport, found *Problems) bool {
	join, joined := annotations[names.PeerJoinAnnotation]
	share, shared := annotations[names.PeerShareAnnotation]
	out.Joined = joined
	switch {
	case joined && join != names.PeerFailover && join != names.PeerSpread:
		found.Reject(ReasonInvalidAnnotation, "The annotation %s is %.40q, so the object is not used: write %s or %s, or remove it.",
			names.PeerJoinAnnotation, join, names.PeerFailover, names.PeerSpread)
		return false
	case join == names.PeerSpread:
		percent, err := strconv.ParseUint(share, 10, 32)
		if err != nil || percent < 1 || percent >= catalog.WholeShare {
			found.Reject(ReasonInvalidAnnotation, "The annotation %s is %.40q, so the object is not used: write how many percent of the requests the peer answers, from 1 to %d.",
				names.PeerShareAnnotation, share, catalog.WholeShare-1)
			return false
		}
		out.Share = uint32(percent)
	case shared:
		found.Warn(ReasonInvalidAnnotation, "The annotation %s has no effect without %s: %s.", names.PeerShareAnnotation, names.PeerJoinAnnotation, names.PeerSpread)
	}
	return true
}

func isPeerName(peer, object, others string, found *Problems) bool {
	if problems := validation.IsDNS1123Label(peer); len(problems) > 0 {
		found.Reject(ReasonInvalidName, "The label %s of %s is %.80q, so the object is not used: write the name of a MeshPeer%s. %s.",
			names.PeerLabel, object, peer, others, strings.Join(problems, ", "))
		return false
	}
	return true
}
