package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshMode says whether the operator acts.
// +kubebuilder:validation:Enum=Apply;Plan
type MeshMode string

// The modes of a Mesh.
const (
	// ModeApply brings the mesh to what is declared.
	ModeApply MeshMode = "Apply"
	// ModePlan works out what Apply would do, and changes nothing.
	ModePlan MeshMode = "Plan"
)

// How much of a plan its status holds. Of what is more there is a number, so that a plan of any mesh fits into an object.
const (
	// MaxPlannedObjects is how many objects are listed: enough for those of a new mesh.
	MaxPlannedObjects = 60
	// MaxPlanned is how many elements each other list has.
	MaxPlanned = 20
	// MaxPlannedFields is how many fields of an object are named.
	MaxPlannedFields = 6
	// MaxPlannedText is the length of each text of a plan, in bytes.
	MaxPlannedText = 200
)

// PlanStatus is what Apply would do. Lists have at most 20 elements, that of objects 60; the numbers beside them count all.
type PlanStatus struct {
	// generation is the generation of the Mesh that was planned.
	Generation int64 `json:"generation"`

	// hash is equal for plans that say the same.
	Hash string `json:"hash"`

	// time is when the operator first came to this plan. It looks again with each change of the mesh, and once a minute.
	Time metav1.Time `json:"time"`

	// from is the version that the mesh runs; absent when it is not installed.
	// +optional
	From string `json:"from,omitempty"`

	// to is the version that it would run.
	To string `json:"to"`

	// summary is the plan in one sentence.
	Summary string `json:"summary"`

	// problem is why the plan could not be carried out, or ends before the mesh is as declared; absent when nothing stands in its way.
	// +optional
	Problem string `json:"problem,omitempty"`

	// objects are those that the operator would create, change or delete.
	// +optional
	Objects PlannedObjects `json:"objects,omitzero"`

	// workloads are those whose sidecars would be replaced.
	// +optional
	Workloads PlannedWorkloads `json:"workloads,omitzero"`

	// proxies are the sidecars that would be configured anew; absent when that is not computable.
	// +optional
	Proxies *PlannedProxies `json:"proxies,omitempty"`

	// flows are those that would be newly allowed or newly denied; absent when that is not computable.
	// +optional
	Flows *PlannedFlows `json:"flows,omitempty"`

	// notComputed are parts of the answer that are missing, each a sentence.
	// +optional
	// +listType=atomic
	NotComputed []string `json:"notComputed,omitempty"`
}

// PlanVerb is what would be done to an object.
type PlanVerb string

// The verbs of a plan.
const (
	// VerbCreate: there is no such object.
	VerbCreate PlanVerb = "Create"
	// VerbUpdate: what is wanted has changed.
	VerbUpdate PlanVerb = "Update"
	// VerbRepair: somebody has changed the object, and that would be undone.
	VerbRepair PlanVerb = "Repair"
	// VerbDelete: it is no longer needed.
	VerbDelete PlanVerb = "Delete"
)

// PlannedObjects counts objects, and lists those that would change.
type PlannedObjects struct {
	Create    int32 `json:"create"`
	Update    int32 `json:"update"`
	Repair    int32 `json:"repair"`
	Delete    int32 `json:"delete"`
	Unchanged int32 `json:"unchanged"`

	// changes are the objects that would change, in the order in which the operator would come to them.
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

	// moreFields is how many others would change.
	// +optional
	MoreFields int32 `json:"moreFields,omitempty"`
}

// PlannedWorkloads are workloads whose sidecars would be outdated.
type PlannedWorkloads struct {
	// restart is how many would be restarted, in how many waves.
	Restart int32 `json:"restart"`
	Waves   int32 `json:"waves"`

	// restarts are the first of them, in their order.
	// +optional
	// +listType=atomic
	Restarts []PlannedRestart `json:"restarts,omitempty"`

	// left is how many would keep an outdated sidecar until somebody acts.
	Left int32 `json:"left"`

	// leftToYou are some of them, each with the reason.
	// +optional
	// +listType=atomic
	LeftToYou []PlannedNote `json:"leftToYou,omitempty"`
}

// PlannedRestart is a workload that would be restarted.
type PlannedRestart struct {
	// wave counts from 1. Workloads of one wave are restarted at the same time.
	Wave int32 `json:"wave"`

	// workload is "<kind> <namespace>/<name>".
	Workload string `json:"workload"`
}

// PlannedNote is a workload that the operator would leave alone.
type PlannedNote struct {
	// workload is "<kind> <namespace>/<name>".
	Workload string `json:"workload"`

	// reason says why, and what to do.
	Reason string `json:"reason"`
}

// PlannedProxies are sidecars that would be configured anew.
type PlannedProxies struct {
	// changed is how many of them there are, of total sidecars.
	Changed int32 `json:"changed"`
	Total   int32 `json:"total"`

	// examples are some of them, by workload.
	// +optional
	// +listType=atomic
	Examples []PlannedProxy `json:"examples,omitempty"`
}

// PlannedProxy is what the sidecars of a workload would be told: numbers of resources by type, such as "CDS 2, LDS 1".
type PlannedProxy struct {
	// workload is "<kind> <namespace>/<name>".
	Workload string `json:"workload"`
	Sidecars int32  `json:"sidecars"`

	// +optional
	Added string `json:"added,omitempty"`
	// +optional
	Changed string `json:"changed,omitempty"`
	// +optional
	Removed string `json:"removed,omitempty"`
}

// PlannedFlows are flows that would be decided otherwise than now.
type PlannedFlows struct {
	// allowed is how many would be newly allowed, denied how many newly denied.
	Allowed int32 `json:"allowed"`
	Denied  int32 `json:"denied"`

	// changes are some of them, those that would be denied first.
	// +optional
	// +listType=atomic
	Changes []PlannedFlow `json:"changes,omitempty"`
}

// PlannedFlow is what somebody may send to a port of a Service.
type PlannedFlow struct {
	// verdict is Allowed or Denied: what the flow would be.
	Verdict string `json:"verdict"`

	// from is a service account, "<namespace>/<name>", or * for everybody.
	From string `json:"from"`

	// to is "<namespace>/<service>:<port>", or says which.
	To string `json:"to"`

	// request are the requests, or "connections".
	Request string `json:"request"`

	// by is what lets it through, then or until now.
	// +optional
	By string `json:"by,omitempty"`
}
