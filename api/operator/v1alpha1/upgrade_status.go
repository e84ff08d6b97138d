package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProxyCounts are numbers of sidecars.
type ProxyCounts struct {
	// total is the number of pods with a sidecar of this mesh.
	Total int32 `json:"total"`

	// ready is how many of them are ready.
	Ready int32 `json:"ready"`

	// outdated is how many have a sidecar of another revision than the mesh should have.
	Outdated int32 `json:"outdated"`

	// byRevision counts them by the revision of their sidecar, sorted by name.
	// +optional
	// +listType=map
	// +listMapKey=revision
	ByRevision []RevisionProxies `json:"byRevision,omitempty"`
}

// RevisionProxies counts the sidecars of one revision.
type RevisionProxies struct {
	// revision is the name of the MeshRevision; empty for sidecars that do not tell.
	Revision string `json:"revision"`

	// total is the number of sidecars.
	Total int32 `json:"total"`
}

// UpgradeStatus is an upgrade, or a way back, that is under way.
type UpgradeStatus struct {
	// from is the version that the mesh comes from; empty during the installation.
	// +optional
	From string `json:"from,omitempty"`

	// to is the version that it goes to.
	To string `json:"to"`

	// phase is Installing, CanaryControlPlane, CanaryWorkloads, ControlPlane, Workloads, Halted, RollingBack or RolledBack.
	Phase string `json:"phase"`

	// since is when the phase began.
	Since metav1.Time `json:"since"`

	// message says what the phase does or waits for.
	// +optional
	Message string `json:"message,omitempty"`
}

// HistoryEntry is an upgrade that has ended.
type HistoryEntry struct {
	// version is where it went, from where it came from; empty for the installation.
	Version string `json:"version"`
	// +optional
	From string `json:"from,omitempty"`

	// ended is when it ended.
	Ended metav1.Time `json:"ended"`

	// result is Succeeded or RolledBack.
	Result string `json:"result"`

	// reason says why it was rolled back: the gates that failed, with what they saw.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// Results of upgrades.
const (
	ResultSucceeded  = "Succeeded"
	ResultRolledBack = "RolledBack"
)

// MaxHistory is how many upgrades a status tells of, the latest first.
const MaxHistory = 10

// Role is what a revision does in its mesh.
// +kubebuilder:validation:Enum=Base;Beside;Promoting;Standby
type Role string

// The roles.
const (
	// RoleBase runs the mesh's own Deployments, osm-controller and osm-injector.
	RoleBase Role = "Base"
	// RoleBeside runs Deployments of its own, with the revision in their names, for the namespaces of a canary.
	RoleBeside Role = "Beside"
	// RolePromoting runs both: it takes over the mesh's own Deployments, and keeps its own until those serve.
	RolePromoting Role = "Promoting"
	// RoleStandby runs nothing: what it was, and how it ended, is remembered.
	RoleStandby Role = "Standby"
)

// RevisionRejection is why a revision was given up.
type RevisionRejection struct {
	// meshGeneration is the generation of the Mesh that asked for it. With another one the revision is tried again.
	MeshGeneration int64 `json:"meshGeneration"`

	// reason lists the gates that failed, with what they saw.
	Reason string `json:"reason"`

	// at is when.
	At metav1.Time `json:"at"`
}

// RevisionBaseline is what was observed before a revision took over, for comparison.
type RevisionBaseline struct {
	// from is the version that ran before.
	// +optional
	From string `json:"from,omitempty"`

	// errorRate is the share of requests that failed, such as "0.25%"; empty when the version before could not tell.
	// +optional
	ErrorRate string `json:"errorRate,omitempty"`

	// at is when the revision began to take over.
	At metav1.Time `json:"at"`
}
