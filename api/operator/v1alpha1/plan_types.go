package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshMode decides whether the operator changes the cluster.
// +kubebuilder:validation:Enum=Apply;Plan
type MeshMode string

// The modes of a Mesh.
const (
	// ModeApply reconciles the mesh to its spec.
	ModeApply MeshMode = "Apply"
	// ModePlan computes what Apply would do, and changes nothing.
	ModePlan MeshMode = "Plan"
)

// Limits of status.plan, which keep the plan of any mesh below the size limit of an object. Counts include what is not listed.
const (
	// MaxPlannedObjects is the number of listed objects, enough for those of a new mesh.
	MaxPlannedObjects = 60
	// MaxPlanned is the number of elements in each other list.
	MaxPlanned = 20
	// MaxPlannedFields is the number of listed fields of an object.
	MaxPlannedFields = 6
	// MaxPlannedText is the maximum length of a text in a plan, in bytes.
	MaxPlannedText = 200
)

// PlanStatus is what Apply would do. The list of objects has at most 60 elements, other lists 20. Counts include what is not listed.
type PlanStatus struct {
	// generation is the generation of the Mesh that the plan is for.
	Generation int64 `json:"generation"`

	// hash is equal for plans with equal content.
	Hash string `json:"hash"`

	// time is when the operator first computed this plan. It computes the plan on every change of the mesh, and once a minute.
	Time metav1.Time `json:"time"`

	// from is the version that the mesh runs. It is absent if the mesh is not installed.
	// +optional
	From string `json:"from,omitempty"`

	// to is the version that the mesh would run.
	To string `json:"to"`

	// summary is the plan in one sentence.
	Summary string `json:"summary"`

	// problem is why Apply could not complete. It is absent if Apply can complete.
	// +optional
	Problem string `json:"problem,omitempty"`

	// objects are those that the operator would create, update or delete.
	// +optional
	Objects PlannedObjects `json:"objects,omitzero"`

	// workloads are those whose sidecars would be outdated.
	// +optional
	Workloads PlannedWorkloads `json:"workloads,omitzero"`

	// proxies are the sidecars whose configuration would change. It is absent if that cannot be computed.
	// +optional
	Proxies *PlannedProxies `json:"proxies,omitempty"`

	// flows are those that would be newly allowed or newly denied. It is absent if that cannot be computed.
	// +optional
	Flows *PlannedFlows `json:"flows,omitempty"`

	// unavailable lists the parts of the plan that could not be computed, each as a sentence.
	// +optional
	// +listType=atomic
	Unavailable []string `json:"unavailable,omitempty"`
}

// PlanVerb is what Apply would do to an object.
type PlanVerb string

// The verbs of a plan.
const (
	// VerbCreate means that the object does not exist.
	VerbCreate PlanVerb = "Create"
	// VerbUpdate means that the desired state of the object changed.
	VerbUpdate PlanVerb = "Update"
	// VerbRepair means that the object drifted, and that the drift would be undone.
	VerbRepair PlanVerb = "Repair"
	// VerbDelete means that the object is no longer needed.
	VerbDelete PlanVerb = "Delete"
)

// PlannedObjects counts objects, and lists those that would change.
type PlannedObjects struct {
	// create is the number of objects that the operator would create.
	Create int32 `json:"create"`

	// update is the number of objects that the operator would update.
	Update int32 `json:"update"`

	// repair is the number of objects that somebody else changed and the operator would restore.
	Repair int32 `json:"repair"`

	// delete is the number of objects that the operator would delete.
	Delete int32 `json:"delete"`

	// unchanged is the number of objects that would remain as they are.
	Unchanged int32 `json:"unchanged"`

	// changes are the objects that would change, in the order in which the operator would apply them.
	// +optional
	// +listType=atomic
	Changes []PlannedObject `json:"changes,omitempty"`
}

// PlannedObject is one object that would change.
type PlannedObject struct {
	// verb is Create, Update, Repair or Delete.
	Verb PlanVerb `json:"verb"`

	// object is "<kind> <namespace>/<name>".
	Object string `json:"object"`

	// fields are the paths of the fields that would change, at most 6 of them.
	// +optional
	// +listType=atomic
	Fields []string `json:"fields,omitempty"`

	// moreFields is the number of changed fields that are not listed.
	// +optional
	MoreFields int32 `json:"moreFields,omitempty"`
}

// PlannedWorkloads are workloads whose sidecars would be outdated.
type PlannedWorkloads struct {
	// restart is the number of workloads that would be restarted.
	Restart int32 `json:"restart"`

	// waves is the number of waves.
	Waves int32 `json:"waves"`

	// restarts lists the first workloads to restart, in order.
	// +optional
	// +listType=atomic
	Restarts []PlannedRestart `json:"restarts,omitempty"`

	// inPlace is the number of workloads whose sidecars would be upgraded while their applications run.
	// +optional
	InPlace int32 `json:"inPlace,omitempty"`

	// skippedTotal is the number of workloads that would keep an outdated sidecar until a user restarts them.
	SkippedTotal int32 `json:"skippedTotal"`

	// skipped lists some of them, each with the reason.
	// +optional
	// +listType=atomic
	Skipped []SkippedWorkload `json:"skipped,omitempty"`
}

// PlannedRestart is a workload that would be restarted.
type PlannedRestart struct {
	// wave is the number of the wave, from 1. Workloads of one wave restart at the same time.
	Wave int32 `json:"wave"`

	// workload is "<kind> <namespace>/<name>".
	Workload string `json:"workload"`

	// warning is what the restart does to the requests of the workload; empty if its pods are replaced one after the other.
	// +optional
	Warning string `json:"warning,omitempty"`
}

// SkippedWorkload is a workload that the operator would not restart.
type SkippedWorkload struct {
	// workload is "<kind> <namespace>/<name>".
	Workload string `json:"workload"`

	// reason describes why, and what to do.
	Reason string `json:"reason"`
}

// PlannedProxies counts the sidecars whose configuration would change.
type PlannedProxies struct {
	// changed is the number of those sidecars.
	Changed int32 `json:"changed"`

	// total is the number of all sidecars.
	Total int32 `json:"total"`

	// examples lists some of them, by workload.
	// +optional
	// +listType=atomic
	Examples []PlannedProxy `json:"examples,omitempty"`
}

// PlannedProxy counts the xDS resources that would change in the sidecars of a workload, by type, such as "CDS 2, LDS 1".
type PlannedProxy struct {
	// workload is "<kind> <namespace>/<name>".
	Workload string `json:"workload"`

	// sidecars is the number of sidecars of the workload.
	Sidecars int32 `json:"sidecars"`

	// added are the resources that the sidecars would get.
	// +optional
	Added string `json:"added,omitempty"`

	// changed are the resources that would have another content.
	// +optional
	Changed string `json:"changed,omitempty"`

	// removed are the resources that the sidecars would lose.
	// +optional
	Removed string `json:"removed,omitempty"`
}

// PlannedFlows counts the flows whose verdict would change.
type PlannedFlows struct {
	// allowed is the number of newly allowed flows.
	Allowed int32 `json:"allowed"`

	// denied is the number of newly denied flows.
	Denied int32 `json:"denied"`

	// changes lists some of them, newly denied flows first.
	// +optional
	// +listType=atomic
	Changes []PlannedFlow `json:"changes,omitempty"`
}

// PlannedFlow is traffic from a service account to a port of a Service.
type PlannedFlow struct {
	// verdict is Allowed or Denied, the verdict after Apply.
	Verdict string `json:"verdict"`

	// from is a service account, "<namespace>/<name>", or * for all.
	From string `json:"from"`

	// to is "<namespace>/<service>:<port>", or a description of the destinations.
	To string `json:"to"`

	// request describes the requests, or is "connections".
	Request string `json:"request"`

	// by is the policy that allows the flow: after Apply if it becomes allowed, now if it becomes denied.
	// +optional
	By string `json:"by,omitempty"`
}
