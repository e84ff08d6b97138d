package finding

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Reasons of findings, in conditions of policies. They must not change.
const (
	// ReasonConflicted means that an older object has precedence.
	ReasonConflicted = "Conflicted"
	// ReasonRefNotFound means that a referenced object does not exist; the rule that refers to it grants nothing.
	ReasonRefNotFound = "RefNotFound"
	// ReasonDisabled means that the MeshConfig disables objects of this kind.
	ReasonDisabled = "Disabled"
	// ReasonTooManyServices means that some Services are beyond the bound of what a client in another namespace receives.
	ReasonTooManyServices = "TooManyServices"
	// ReasonNotFollowed means that another object about the same Service does not apply here.
	ReasonNotFollowed = "NotFollowed"
	// ReasonNotExported means that no Service of a TrafficTarget is exported to the peer of a source.
	ReasonNotExported = "NotExported"
	// ReasonNoUsableBackend means that requests of a TrafficSplit have no destination.
	ReasonNoUsableBackend = "NoUsableBackend"
)

// Cause is what a finding is about.
type Cause int

// Causes of findings. The comment names the effect on the policy.
const (
	// Conflict: another policy decides instead.
	Conflict Cause = iota + 1
	// Replaced: a route of the Gateway API applies instead of a TrafficSplit.
	Replaced
	// NotFollowed: a TrafficSplit of a backend does not apply to the requests of another one.
	NotFollowed
	// Disabled: a switch of the MeshConfig is off.
	Disabled
	// OutsideGateway: the egress gateway, which the namespace requires, cannot forward a part of an Egress.
	OutsideGateway
	// ProtectedHost: the egress gateway does not forward to a host.
	ProtectedHost
	// NoUsableBackend: the requests of a TrafficSplit have no destination.
	NoUsableBackend
	// TooManyServices: a client does not receive all Services of a TrafficTarget.
	TooManyServices
	// OutsideLimits: limits of an UpstreamTrafficSetting that have no effect outside the mesh.
	OutsideLimits
	// NoRouteOfLimit: no HTTPRouteGroup has the path of a limit.
	NoRouteOfLimit
	// NotExported: no Service of the destination is exported to the peer of a source.
	NotExported

	// NoDestination: the service account of spec.destination does not exist.
	NoDestination
	// NoSource: a service account of spec.sources does not exist.
	NoSource
	// NoPeer: the MeshPeer of a source does not exist, or is not accepted.
	NoPeer
	// NoRoute: a route object does not exist.
	NoRoute
	// NoMatch: an HTTPRouteGroup has no such match.
	NoMatch
	// UnknownPort: a TCPRoute has ports that no Service leads to.
	UnknownPort
	// NoRoot: the root Service of a TrafficSplit does not exist.
	NoRoot
	// NoBackend: a backend of a TrafficSplit does not exist.
	NoBackend
	// NoBackendPort: a backend of a TrafficSplit has no port of the root.
	NoBackendPort
	// NoRetryTarget: a destination of a Retry does not exist.
	NoRetryTarget
	// NoHost: the Service of an UpstreamTrafficSetting does not exist.
	NoHost
	// NoIngressPort: a backend of an IngressBackend does not exist.
	NoIngressPort
	// NoGateway: a source of an IngressBackend does not exist.
	NoGateway
	// NoSetting: the UpstreamTrafficSetting of an Egress does not exist.
	NoSetting
	// NoExtension: an ExtensionService cannot be used.
	NoExtension
	// NoEgressGateway: the mesh has no egress gateway.
	NoEgressGateway
	// IdleEgressGateway: no pod of the egress gateway is ready.
	IdleEgressGateway
	// NoCredential: the Secret of an Egress cannot be used.
	NoCredential
)

// IsReference reports whether findings with the cause are about what a policy refers to.
func (c Cause) IsReference() bool { return c >= NoDestination }

// Finding is a reason why a policy, or a part of it, does not have the effect that it describes.
type Finding struct {
	Cause Cause
	ingest.Problem
	// Winner is the policy that decides instead, for a Conflict.
	Winner entity.Ref
	// Missing is the object that does not exist; the zero value for other findings.
	Missing entity.Ref
}

// NewConflict returns the finding that another policy decides instead.
func NewConflict(winner entity.Ref, format string, args ...any) Finding {
	return Finding{Cause: Conflict, Winner: winner, Problem: ingest.Problem{Reason: ReasonConflicted, Message: fmt.Sprintf(format, args...)}}
}

// NotFound returns the finding that something does not exist.
func NotFound(cause Cause, missing entity.Ref, format string, args ...any) Finding {
	return Finding{Cause: cause, Missing: missing, Problem: ingest.Problem{Reason: ReasonRefNotFound, Message: fmt.Sprintf(format, args...)}}
}

// New returns a finding about the policy itself.
func New(cause Cause, reason, format string, args ...any) Finding {
	return Finding{Cause: cause, Problem: ingest.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

// NewWarning returns a finding about a policy that applies in spite of it.
func NewWarning(cause Cause, reason, format string, args ...any) Finding {
	f := New(cause, reason, format, args...)
	f.Warning = true
	return f
}
