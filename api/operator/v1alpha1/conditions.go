package v1alpha1

// The conditions of a Mesh. They follow the rules that kubectl wait, Argo CD and Flux read alike: each carries
// observedGeneration; Ready is Unknown while the operator works and False only when something failed;
// Reconciling and Stalled exist only while they are True.
const (
	// ConditionReady is True when the mesh is as declared and works, Unknown while the operator brings it there,
	// False when that failed. A MeshRevision has it too, and Reconciling and Stalled with it.
	ConditionReady = "Ready"

	// ConditionReconciling exists, True, while the operator works towards the declared state.
	ConditionReconciling = "Reconciling"

	// ConditionStalled exists, True, when trying again cannot help: somebody must change something first.
	ConditionStalled = "Stalled"

	// ConditionPaused exists, True, while spec.paused keeps the operator from changing anything of the mesh.
	ConditionPaused = "Paused"

	// ConditionPlanned exists with spec.mode Plan: True when status.plan says what Apply would do, False when something stands in
	// the way of that; the message says what.
	ConditionPlanned = "Planned"

	// ConditionInstalled is True when everything the mesh consists of has been applied.
	ConditionInstalled = "Installed"

	// ConditionCertificatesReady is True when the root certificate and the certificates of the webhooks exist and
	// are valid.
	ConditionCertificatesReady = "CertificatesReady"

	// ConditionControlPlaneReady is True when all pods of controller and injector are up to date and ready.
	ConditionControlPlaneReady = "ControlPlaneReady"

	// ConditionConfigurationAccepted is False when the MeshConfig sets fields that this version does not act on;
	// the message names them. The mesh works, without what those fields ask for.
	ConditionConfigurationAccepted = "ConfigurationAccepted"
)

// Reasons while the operator works (Ready Unknown, Reconciling True).
const (
	// ReasonProgressing means that the operator applies what is declared.
	ReasonProgressing = "Progressing"
	// ReasonWaitingForReplicas means that everything is applied and some pods are not ready yet.
	ReasonWaitingForReplicas = "WaitingForReplicas"
	// ReasonWaitingForSidecars means that the Mesh is being deleted and pods still have its sidecar: restart them
	// without injection, or delete them.
	ReasonWaitingForSidecars = "WaitingForSidecars"
	// ReasonRemovingSidecars means that the Mesh is being deleted and the operator takes the sidecars out of workloads.
	ReasonRemovingSidecars = "RemovingSidecars"
	// ReasonUpgrading means that the mesh is on its way to another version; status.upgrade tells how far it is.
	ReasonUpgrading = "Upgrading"
	// ReasonRollingBack means that a gate has failed, and the mesh returns to the last good version.
	ReasonRollingBack = "RollingBack"
	// ReasonDeleting means that the Mesh is being deleted and what it consists of is being removed.
	ReasonDeleting = "Deleting"
)

// Reasons of success.
const (
	// ReasonReady means that the mesh is as declared and works.
	ReasonReady = "Ready"
	// ReasonPaused means that spec.paused keeps the operator from changing anything.
	ReasonPaused = "Paused"
	// ReasonPlanned means that spec.mode Plan keeps the operator from changing anything. Ready is then Unknown without Reconciling
	// as long as the mesh is not installed: nobody is working on it, and nothing is wrong.
	ReasonPlanned = "Planned"
	// ReasonStandby means that a MeshRevision runs nothing: another one runs the mesh.
	ReasonStandby = "Standby"
	// ReasonApplied means that everything the mesh consists of has been applied.
	ReasonApplied = "Applied"
	// ReasonCertificatesValid means that all certificates of the control plane exist and are valid.
	ReasonCertificatesValid = "CertificatesValid"
	// ReasonReplicasReady means that all pods are up to date and ready.
	ReasonReplicasReady = "ReplicasReady"
	// ReasonAccepted means that every field that the MeshConfig sets is acted on.
	ReasonAccepted = "Accepted"
)

// Reasons of failure. With the first group Stalled is True as well; the second group is tried again.
const (
	// ReasonInvalidSpec means that the spec contradicts itself in a way the API server cannot see.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonUnknownVersion means that this operator cannot install spec.version; the message lists what it can.
	ReasonUnknownVersion = "UnknownVersion"
	// ReasonUnsupportedStep means that a mesh cannot go from the version that runs to spec.version at once, or that spec.version does not
	// serve sidecars that live in the mesh; the message says what to do first.
	ReasonUnsupportedStep = "UnsupportedStep"
	// ReasonNamespaceClaimed means that another Mesh, or an OSM that this operator did not install, lives in
	// spec.namespace.
	ReasonNamespaceClaimed = "NamespaceClaimed"
	// ReasonRolledBack means that the mesh runs the last good version, because the one that it asks for did not pass its gates:
	// the message says which. It is tried again when the spec changes.
	ReasonRolledBack = "RolledBack"
	// ReasonUpgradeHalted means that a gate has failed, and the way back is not automatic, or there is none; or that a canary cannot
	// begin, because the version cannot run beside another or no namespace is chosen. The message says which.
	ReasonUpgradeHalted = "UpgradeHalted"
	// ReasonUnsupportedKubernetes means that the cluster is older than this version can run on.
	ReasonUnsupportedKubernetes = "UnsupportedKubernetes"

	// ReasonApplyFailed means that the API server refused something; the message has its answer.
	ReasonApplyFailed = "ApplyFailed"
	// ReasonCertificatesFailed means that a certificate could not be made or read.
	ReasonCertificatesFailed = "CertificatesFailed"
	// ReasonReplicasFailed means that pods of the control plane keep failing, or did not become ready in time.
	ReasonReplicasFailed = "ReplicasFailed"
	// ReasonDeleteFailed means that something the mesh consists of could not be removed.
	ReasonDeleteFailed = "DeleteFailed"
	// ReasonPlanFailed means that a plan could not be made, or not to its end.
	ReasonPlanFailed = "PlanFailed"
	// ReasonFieldsNotActedOn means that the MeshConfig sets fields that this version does not act on.
	ReasonFieldsNotActedOn = "FieldsNotActedOn"
)
