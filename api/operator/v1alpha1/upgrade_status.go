package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProxyCounts counts the sidecars of a mesh.
type ProxyCounts struct {
	// total is the number of pods with a sidecar of this mesh.
	Total int32 `json:"total"`

	// ready is the number of sidecars that are ready.
	Ready int32 `json:"ready"`

	// outdated is the number of sidecars of another revision than their namespace should have.
	Outdated int32 `json:"outdated"`

	// byRevision counts sidecars by revision, sorted by name.
	// +optional
	// +listType=map
	// +listMapKey=revision
	ByRevision []RevisionProxies `json:"byRevision,omitempty"`
}

// RevisionProxies counts the sidecars of one revision.
type RevisionProxies struct {
	// revision is the name of the MeshRevision. It is empty for sidecars without a revision label.
	Revision string `json:"revision"`

	// total is the number of sidecars.
	Total int32 `json:"total"`
}

// UpgradeStatus is the progress of an installation, an upgrade or a rollback.
type UpgradeStatus struct {
	// from is the version before the upgrade. It is empty during the installation.
	// +optional
	From string `json:"from,omitempty"`

	// to is the desired version.
	To string `json:"to"`

	// revision is the desired MeshRevision. It differs from that before also if only what new pods get has changed, such as the image of Envoy.
	// +optional
	Revision string `json:"revision,omitempty"`

	// phase is the current phase.
	Phase UpgradePhase `json:"phase"`

	// startTime is when the phase started.
	StartTime metav1.Time `json:"startTime"`

	// message describes what the phase does or waits for.
	// +optional
	Message string `json:"message,omitempty"`
}

// HistoryEntry is a completed upgrade.
type HistoryEntry struct {
	// version is the version that the upgrade installed, or tried to install.
	Version string `json:"version"`

	// from is the version before. It is empty for the installation.
	// +optional
	From string `json:"from,omitempty"`

	// revision is the MeshRevision of the upgrade. It is empty in entries of operators before v0.6.
	// +optional
	Revision string `json:"revision,omitempty"`

	// startTime is when the upgrade started.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// completionTime is when the upgrade was verified or rolled back.
	CompletionTime metav1.Time `json:"completionTime"`

	// result is Succeeded or RolledBack.
	Result UpgradeResult `json:"result"`

	// reason lists the gates that failed, with their observed values. It is empty for an upgrade that succeeded.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// UpgradeResult is the result of a completed upgrade.
type UpgradeResult string

// The results of upgrades.
const (
	// ResultSucceeded means that the version passed all gates in the whole mesh.
	ResultSucceeded UpgradeResult = "Succeeded"
	// ResultRolledBack means that a gate failed and the mesh returned to the version before.
	ResultRolledBack UpgradeResult = "RolledBack"
)

// MaxHistory is the greatest number of upgrades in status.history.
const MaxHistory = 10

// Role is the role of a revision in its mesh.
type Role string

// The roles.
const (
	// RoleActive runs the Deployments of the mesh, osm-controller and osm-injector.
	RoleActive Role = "Active"
	// RoleCanary runs additional Deployments, with the revision in their names, for the canary namespaces.
	RoleCanary Role = "Canary"
	// RolePromoting runs both: it takes over the Deployments of the mesh, and keeps the additional ones until those are ready.
	RolePromoting Role = "Promoting"
	// RoleStandby runs nothing and keeps its status.
	RoleStandby Role = "Standby"
)

// RevisionRejection records why a revision failed.
type RevisionRejection struct {
	// meshGeneration is the generation of the Mesh during the failed upgrade.
	MeshGeneration int64 `json:"meshGeneration"`

	// images are the images that failed. The revision is tried again with other images.
	// +optional
	Images *RevisionImages `json:"images,omitempty"`

	// attempt is spec.upgrade.attempt of the Mesh during the failed upgrade. The revision is tried again with another value.
	// +optional
	Attempt string `json:"attempt,omitempty"`

	// reason lists the gates that failed, with their observed values.
	Reason string `json:"reason"`

	// time is when the revision failed.
	Time metav1.Time `json:"time"`
}

// StepRestarts are the container restarts of a revision's pods from before a step of an upgrade. They do not count in that step.
type StepRestarts struct {
	// stepTime is the start of the step.
	StepTime metav1.Time `json:"stepTime"`

	// pods are those whose containers had been restarted.
	// +optional
	// +listType=map
	// +listMapKey=uid
	// +kubebuilder:validation:MaxItems=256
	Pods []PodRestarts `json:"pods,omitempty"`
}

// PodRestarts counts the container restarts of one pod.
type PodRestarts struct {
	// uid is that of the pod.
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`

	// count is the number of restarts of all its containers.
	Count int32 `json:"count"`
}

// RevisionBaseline is what was observed before a revision became active, for comparison.
type RevisionBaseline struct {
	// from is the version that was active before.
	// +optional
	From string `json:"from,omitempty"`

	// revision is the MeshRevision that was active before. It is empty in baselines of operators before v0.6.
	// +optional
	Revision string `json:"revision,omitempty"`

	// sidecar is what new pods of that MeshRevision got, so that it can be restored if somebody deletes it during the upgrade.
	// +optional
	Sidecar *RevisionSidecar `json:"sidecar,omitempty"`

	// errorRate is the share of requests that failed, such as "0.25%". It is empty if the version before did not report it in time.
	// +optional
	ErrorRate string `json:"errorRate,omitempty"`

	// rejecting are the workloads, as <namespace>/<service account>, most of whose sidecars rejected their configuration before. Their
	// rejections do not fail the upgrade.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Rejecting []string `json:"rejecting,omitempty"`

	// disconnected are the pods, as <namespace>/<name>, whose sidecars ran and were not connected before. They do not fail the upgrade. Only
	// operators before v0.6.0 write it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Disconnected []string `json:"disconnected,omitempty"`

	// disconnectedWorkloads are the workloads with sidecars that ran and were not connected before. As many sidecars of them do not fail the
	// upgrade.
	// +optional
	// +listType=map
	// +listMapKey=workload
	// +kubebuilder:validation:MaxItems=256
	DisconnectedWorkloads []DisconnectedWorkload `json:"disconnectedWorkloads,omitempty"`

	// time is when the baseline was observed, which is the start of the upgrade.
	Time metav1.Time `json:"time"`
}

// DisconnectedWorkload counts sidecars of a workload that are not connected to their control plane.
type DisconnectedWorkload struct {
	// workload is the service account, as <namespace>/<name>.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=318
	Workload string `json:"workload"`

	// sidecars is the number of its sidecars that are not connected.
	// +required
	// +kubebuilder:validation:Minimum=1
	Sidecars int32 `json:"sidecars"`
}
