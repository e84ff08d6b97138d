package v1alpha1

// MeshPhase summarises in one word what happens to a mesh. Automation should read conditions, which have reasons and
// observedGeneration.
type MeshPhase string

// The phases of a mesh. Those of an upgrade and of a removal equal the UpgradePhase or RemovalPhase of the same name.
const (
	// PhaseIdle means that the mesh runs the desired version and no upgrade is in progress.
	PhaseIdle MeshPhase = "Idle"
	// PhasePaused means that spec.paused is true: the operator changes nothing.
	PhasePaused MeshPhase = "Paused"
	// PhasePlanned means that spec.mode is Plan: the operator changes nothing and computes status.plan.
	PhasePlanned MeshPhase = "Planned"
	// PhaseInstalling means that the first version of the mesh is being installed.
	PhaseInstalling MeshPhase = "Installing"
	// PhaseCanaryControlPlane means that the new control plane starts next to the active one.
	PhaseCanaryControlPlane MeshPhase = "CanaryControlPlane"
	// PhaseCanaryWorkloads means that workloads of the canary namespaces restart with the new sidecar, then soak.
	PhaseCanaryWorkloads MeshPhase = "CanaryWorkloads"
	// PhaseControlPlane means that the new version replaces the active control plane.
	PhaseControlPlane MeshPhase = "ControlPlane"
	// PhaseWorkloads means that workloads restart with the new sidecar in waves, then soak.
	PhaseWorkloads MeshPhase = "Workloads"
	// PhaseHalted means that a gate failed, or a canary cannot start, and the upgrade stopped without a rollback.
	PhaseHalted MeshPhase = "Halted"
	// PhaseRollingBack means that a gate failed and the mesh returns to the last verified version.
	PhaseRollingBack MeshPhase = "RollingBack"
	// PhaseRolledBack means that the mesh runs the last verified version, because the desired one failed its gates.
	PhaseRolledBack MeshPhase = "RolledBack"
	// PhaseWaitingForSidecars means that the Mesh is being deleted and users have to remove the sidecars.
	PhaseWaitingForSidecars MeshPhase = "WaitingForSidecars"
	// PhaseOpening means that the Mesh is being deleted and sidecars start to accept connections from pods without a sidecar.
	PhaseOpening MeshPhase = "Opening"
	// PhaseTransparent means that the Mesh is being deleted and sidecars start to forward all traffic unchanged.
	PhaseTransparent MeshPhase = "Transparent"
	// PhaseInjectionOff means that the Mesh is being deleted and new pods get no sidecar.
	PhaseInjectionOff MeshPhase = "InjectionOff"
	// PhaseRestarting means that the Mesh is being deleted and workloads restart without a sidecar in waves.
	PhaseRestarting MeshPhase = "Restarting"
	// PhaseDeleting means that no sidecar is left and the objects of the mesh are being deleted.
	PhaseDeleting MeshPhase = "Deleting"
)

// UpgradePhase is a phase of an installation, an upgrade or a rollback.
type UpgradePhase string

// The phases of an upgrade, in their order. MeshPhase documents them.
const (
	UpgradeInstalling         = UpgradePhase(PhaseInstalling)
	UpgradeCanaryControlPlane = UpgradePhase(PhaseCanaryControlPlane)
	UpgradeCanaryWorkloads    = UpgradePhase(PhaseCanaryWorkloads)
	UpgradeControlPlane       = UpgradePhase(PhaseControlPlane)
	UpgradeWorkloads          = UpgradePhase(PhaseWorkloads)
	UpgradeHalted             = UpgradePhase(PhaseHalted)
	UpgradeRollingBack        = UpgradePhase(PhaseRollingBack)
	UpgradeRolledBack         = UpgradePhase(PhaseRolledBack)
)

// RemovalPhase is a phase of the removal of a mesh.
type RemovalPhase string

// The phases of a removal, in their order. MeshPhase documents them. Opening, Transparent, InjectionOff and Restarting exist only
// with spec.removal.sidecars Restart.
const (
	RemovalWaiting      = RemovalPhase(PhaseWaitingForSidecars)
	RemovalOpening      = RemovalPhase(PhaseOpening)
	RemovalTransparent  = RemovalPhase(PhaseTransparent)
	RemovalInjectionOff = RemovalPhase(PhaseInjectionOff)
	RemovalRestarting   = RemovalPhase(PhaseRestarting)
	RemovalDeleting     = RemovalPhase(PhaseDeleting)
)
