package reasons

import (
	"cmp"
	"slices"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Reason is one word and what it means.
type Reason struct {
	Code string `json:"code"`
	// On is the kind of object that has it.
	On          string `json:"on"`
	Description string `json:"description"`
}

const (
	policies = "policies"
	meshes   = "Mesh"
)

// All are the reasons, sorted by their codes.
func All() []Reason {
	all := slices.Concat(ofPolicies(), ofMeshes())
	slices.SortFunc(all, func(a, b Reason) int { return cmp.Compare(a.Code, b.Code) })
	return all
}

func ofPolicies() []Reason {
	return []Reason{
		{ingest.ReasonMalformed, policies, "A field has the wrong type, so the object is not acted on: correct the field that the message names."},
		{ingest.ReasonUnsupported, policies, "The object asks for something that this version does not do: the message says what is done instead."},
		{ingest.ReasonForeignNamespace, policies, "The object speaks about a namespace that is not its own: move it there."},
		{ingest.ReasonInvalidName, policies, "A name that no object of Kubernetes can have."},
		{ingest.ReasonInvalidRegex, policies, "A regular expression that is not RE2, or is too long: the match is not used."},
		{ingest.ReasonInvalidHeader, policies, "A header that cannot be matched: the match is not used."},
		{ingest.ReasonInvalidMethod, policies, "A method that HTTP does not allow: the match is not used."},
		{ingest.ReasonDuplicateMatch, policies, "Two matches of a group have one name: the first counts."},
		{ingest.ReasonInvalidPort, policies, "A port outside 1 to 65535."},
		{ingest.ReasonInvalidWeight, policies, "A weight that is missing, negative or too large."},
		{ingest.ReasonInvalidDuration, policies, "A duration that cannot be read or used: write a number with a unit."},
		{ingest.ReasonInvalidTLS, policies, "Versions of TLS that exclude each other."},
		{ingest.ReasonGrantsNothing, policies, "A policy without rules or sources, which lets nobody in."},
		{ingest.ReasonUnknownProtocol, policies, "A port of a Service with an appProtocol that sidecars do not know, so it is not part of the mesh: write http, grpc, tcp, tcp-server-first or https."},
		{ingest.ReasonNotCaptured, policies, "Traffic that sidecars do not intercept, such as UDP."},
		{ingest.ReasonInvalidNumber, policies, "A number out of range: the message says what counts instead."},
		{ingest.ReasonInvalidCondition, policies, "A condition in retryOn that sidecars do not know, so the Retry does nothing; or one that does nothing by itself."},
		{ingest.ReasonInvalidAnnotation, policies, "An annotation whose value means nothing, so it counts as absent."},
		{ingest.ReasonNotUsed, policies, "An object, or a part of it, that nothing in this version looks at."},
		{ingest.ReasonRefusedAddress, policies, "An endpoint with an address that no pod can have: it is left out."},
		{status.ReasonRefNotFound, policies, "An object that a policy refers to does not exist, so that part of the policy grants nothing: create it, or correct the name."},
		{status.ReasonDisabled, policies, "The MeshConfig switches objects of this kind off: the message names the field."},
		{status.ReasonNotFollowed, policies, "A backend of a TrafficSplit is split itself, which does not count for its share here."},
		{status.ReasonConflicted, policies, "An older object speaks about the same thing, and counts: delete one of the two."},
	}
}

func ofMeshes() []Reason {
	return []Reason{
		{v1alpha1.ReasonProgressing, meshes, "The operator is applying what is declared."},
		{v1alpha1.ReasonWaitingForReplicas, meshes, "Everything is applied, and some pods of the control plane are not ready yet."},
		{v1alpha1.ReasonWaitingForSidecars, meshes, "The Mesh is being deleted, and pods still have its sidecar: restart or delete them."},
		{v1alpha1.ReasonRemovingSidecars, meshes, "The Mesh is being deleted, and workloads are restarted without their sidecars: status.removal tells how far it is."},
		{v1alpha1.ReasonPlanned, meshes, "spec.mode is Plan: status.plan says what the operator would do, and nothing is changed."},
		{v1alpha1.ReasonPlanFailed, meshes, "The plan cannot be made: the message says why."},
		{v1alpha1.ReasonUpgrading, meshes, "The mesh is on its way to another version: status.upgrade tells how far it is."},
		{v1alpha1.ReasonRollingBack, meshes, "A gate has failed, and the mesh returns to the last good version."},
		{v1alpha1.ReasonRolledBack, meshes, "The last good version runs, because the wanted one did not pass its gates: change the spec to try again."},
		{v1alpha1.ReasonUpgradeHalted, meshes, "A gate has failed, and the way back is not automatic, or there is none: change spec.version, or what the message names."},
		{v1alpha1.ReasonPaused, meshes, "spec.paused keeps the operator from changing anything: take it away to go on."},
		{v1alpha1.ReasonStandby, meshes, "A MeshRevision that runs nothing: another one runs the mesh."},
		{v1alpha1.ReasonDeleting, meshes, "The Mesh is being deleted."},
		{v1alpha1.ReasonInvalidSpec, meshes, "The spec contradicts itself: the message says what to change."},
		{v1alpha1.ReasonUnknownVersion, meshes, "The operator cannot install spec.version: the message lists what it can."},
		{v1alpha1.ReasonUnsupportedStep, meshes, "The step from the version that runs to spec.version was never tried, or sidecars of the mesh would not be served after it: the message says which to take first."},
		{v1alpha1.ReasonNamespaceClaimed, meshes, "Another mesh, or an Open Service Mesh that still runs, lives in spec.namespace: the message says what to do."},
		{v1alpha1.ReasonUnsupportedKubernetes, meshes, "The cluster is too old."},
		{v1alpha1.ReasonApplyFailed, meshes, "The API server refused something: the message has its answer."},
		{v1alpha1.ReasonCertificatesFailed, meshes, "A certificate could not be made or read."},
		{v1alpha1.ReasonReplicasFailed, meshes, "Pods of the control plane keep failing: see their logs."},
		{v1alpha1.ReasonDeleteFailed, meshes, "Something that belongs to the mesh could not be removed."},
		{v1alpha1.ReasonFieldsNotActedOn, "Mesh, MeshConfig", "The MeshConfig sets fields that this version does not act on: the message names them."},
	}
}
