package v1alpha1

// The conditions of a Mesh. kubectl wait, Argo CD and Flux agree on their rules: each condition has observedGeneration; Ready is
// Unknown while the operator works and False only after a failure; Reconciling and Stalled exist only while they are True.
const (
	// ConditionReady is True when the mesh matches its spec and works, Unknown while the operator works towards that, and False after
	// a failure. A MeshRevision has the conditions Ready, Reconciling and Stalled too.
	ConditionReady = "Ready"

	// ConditionReconciling is True while the operator works towards the desired state. It does not exist otherwise.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is True when a retry cannot succeed until a user changes something. It does not exist otherwise.
	ConditionStalled = "Stalled"

	// ConditionPaused is True while spec.paused stops the operator from changing the mesh. It does not exist otherwise.
	ConditionPaused = "Paused"

	// ConditionPlanned exists with spec.mode Plan. It is True when status.plan is complete, and False with the reason when it is not.
	ConditionPlanned = "Planned"

	// ConditionInstalled is True when all objects of the mesh have been applied.
	ConditionInstalled = "Installed"

	// ConditionCertificatesReady is True when the root certificate and the webhook certificates exist and are valid.
	ConditionCertificatesReady = "CertificatesReady"

	// ConditionRotatingAuthority is True while the mesh moves from one certificate authority to another. The reason is the step, and the
	// message lists what it waits for. It does not exist otherwise, and does not affect Ready.
	ConditionRotatingAuthority = "RotatingAuthority"

	// ConditionCertificatesDelegated exists with the certificate providers CertManager and Vault. It is True when the provider issues the certificate
	// authority, and False with the reason while it does not. The message has the authority in use and its end. It does not affect Ready.
	ConditionCertificatesDelegated = "CertificatesDelegated"

	// ConditionIssuerShared is True while the mesh uses an issuer of cert-manager that objects of all namespaces can refer to, such as a ClusterIssuer, and no
	// policy of approver-policy selects it. Whoever may request certificates in any namespace can then have any identity. It does not exist otherwise, and
	// does not affect Ready.
	ConditionIssuerShared = "IssuerShared"

	// ConditionIngressCertificateReady exists when the MeshConfig requests a certificate for an ingress gateway. It is False with the reason
	// while the certificate cannot be kept. It does not affect Ready.
	ConditionIngressCertificateReady = "IngressCertificateReady"

	// ConditionControlPlaneReady is True when all pods of controller and injector are up to date and ready.
	ConditionControlPlaneReady = "ControlPlaneReady"

	// ConditionConfigurationAccepted is False when the MeshConfig sets fields that this version ignores. The message lists them. The
	// mesh works without them.
	ConditionConfigurationAccepted = "ConfigurationAccepted"

	// ConditionComponentsReady is True when every component that the Mesh requests is ready. Only gateways affect Ready.
	ConditionComponentsReady = "ComponentsReady"

	// ConditionPeersReady exists with a peer gateway and MeshPeers. It is True when all of them are accepted, trusted, connected and compatible. Otherwise the
	// message has their names and reasons: it is False after a failure, and Unknown before the first connection. It does not affect Ready.
	ConditionPeersReady = "PeersReady"

	// ConditionUpgrading is True while the mesh moves to another version or back, and False while it does not. The reason tells why not: Idle
	// is the only good one. Installing, Paused and Planned pass, and all others need a user.
	ConditionUpgrading = "Upgrading"

	// ConditionTrustDistributed is False when a namespace of the mesh rejects the ConfigMap with the root certificate. The message lists
	// the namespaces and their answers. All other namespaces have it, and the mesh can be Ready.
	ConditionTrustDistributed = "TrustDistributed"

	// ConditionRemoved exists while the Mesh is being deleted. It is Unknown while the removal makes progress or waits, and False when a
	// step failed. Ready repeats it.
	ConditionRemoved = "Removed"

	// ConditionAdopting is True while the Mesh takes over from an Open Service Mesh. The reason is the step that is in effect, or what keeps the next
	// one from it, and the message has what comes next and which command it needs. It does not exist otherwise, and does not affect Ready.
	ConditionAdopting = "Adopting"

	// ConditionDataPlaneUpToDate is True when every sidecar has the revision that its namespace should have. Otherwise it is False, and
	// the message has the number of outdated sidecars.
	ConditionDataPlaneUpToDate = "DataPlaneUpToDate"

	// ConditionServingOSMSidecars is True while the bridge of spec.adoption is open, and False after it has ended. It does not exist without
	// spec.adoption.bridge, and does not affect Ready.
	ConditionServingOSMSidecars = "ServingOSMSidecars"
)

// Reasons while the operator works (Ready Unknown, Reconciling True).
const (
	// ReasonProgressing means that the operator is applying the spec.
	ReasonProgressing = "Progressing"
	// ReasonWaitingForReplicas means that all objects are applied and some pods are not ready yet.
	ReasonWaitingForReplicas = "WaitingForReplicas"
	// ReasonWaitingForSidecars means that the Mesh is being deleted and pods still have its sidecar. Restart these pods without
	// injection, or delete them.
	ReasonWaitingForSidecars = "WaitingForSidecars"
	// ReasonRemovingSidecars means that the Mesh is being deleted and the operator removes the sidecars from workloads.
	ReasonRemovingSidecars = "RemovingSidecars"
	// ReasonInstalling means that the first version of the mesh is being installed, so there is no upgrade.
	ReasonInstalling = "Installing"
	// ReasonUpgrading means that an upgrade is in progress; status.upgrade has its phase.
	ReasonUpgrading = "Upgrading"
	// ReasonUpgradePending means that a new version of a component waits for the rollout of the control plane.
	ReasonUpgradePending = "UpgradePending"
	// ReasonRollingBack means that a gate failed and the mesh returns to the last verified version.
	ReasonRollingBack = "RollingBack"
	// ReasonDeleting means that the Mesh is being deleted and its objects are being removed.
	ReasonDeleting = "Deleting"
	// ReasonSidecarsOutdated means that sidecars of another revision than desired are running.
	ReasonSidecarsOutdated = "SidecarsOutdated"
)

// Reasons of success.
const (
	// ReasonReady means that the mesh matches its spec and works.
	ReasonReady = "Ready"
	// ReasonPaused means that spec.paused stops the operator from changing the mesh.
	ReasonPaused = "Paused"
	// ReasonPlanned means that spec.mode Plan stops the operator from changing the mesh. Until the mesh is installed, Ready is Unknown
	// without Reconciling.
	ReasonPlanned = "Planned"
	// ReasonStandby means that a MeshRevision runs nothing, because another one is active.
	ReasonStandby = "Standby"
	// ReasonApplied means that all objects of the mesh have been applied.
	ReasonApplied = "Applied"
	// ReasonCertificatesValid means that all certificates of the control plane exist and are valid.
	ReasonCertificatesValid = "CertificatesValid"
	// ReasonReplicasReady means that all pods are up to date and ready.
	ReasonReplicasReady = "ReplicasReady"
	// ReasonAccepted means that every field that the MeshConfig sets has an effect.
	ReasonAccepted = "Accepted"
	// ReasonComponentsReady means that every component is ready.
	ReasonComponentsReady = "ComponentsReady"
	// ReasonPeersReady means that every peer is accepted, trusted, connected and compatible.
	ReasonPeersReady = "PeersReady"
	// ReasonIdle means that no upgrade is in progress and the mesh runs the desired version.
	ReasonIdle = "Idle"
	// ReasonTrustDistributed means that every namespace of the mesh has the root certificate.
	ReasonTrustDistributed = "TrustDistributed"
	// ReasonUpToDate means that no sidecar is outdated.
	ReasonUpToDate = "UpToDate"
)

// Reasons of CertificatesDelegated. KindNotServed means that cert-manager is not installed.
const (
	// ReasonIssued means that the provider has issued the certificate authority of the mesh.
	ReasonIssued = "Issued"
	// ReasonNotIssued means that the provider has not issued the certificate authority, or that it cannot be used.
	ReasonNotIssued = "NotIssued"
)

// ReasonNoApproverPolicy is the reason of IssuerShared: no CertificateRequestPolicy that the operator can read selects the issuer.
const ReasonNoApproverPolicy = "NoApproverPolicy"

// Reasons of the conditions of a MeshRootCertificate.
const (
	// ReasonInvalidRoot means that the root cannot be used.
	ReasonInvalidRoot = "InvalidRoot"
	// ReasonRoleInEffect means that the root has its role in the whole mesh.
	ReasonRoleInEffect = "RoleInEffect"
	// ReasonRoleNotInEffect means that the mesh is moving towards the role of the root, or that the root cannot be used.
	ReasonRoleNotInEffect = "RoleNotInEffect"
)

// Reasons of RotatingAuthority, in the order of the steps.
const (
	// ReasonAuthorityRejected means that peers would reject certificates of the new certificate authority. The mesh keeps the old one.
	ReasonAuthorityRejected = "AuthorityRejected"
	// ReasonDistributing means that the mesh starts to trust the new certificate authority. The old one issues.
	ReasonDistributing = "Distributing"
	// ReasonWaitingForTrust means that not every pod, sidecar and namespace is known to trust both authorities yet.
	ReasonWaitingForTrust = "WaitingForTrust"
	// ReasonSwitching means that the new certificate authority issues from now on.
	ReasonSwitching = "Switching"
	// ReasonWaitingForRenewal means that not every sidecar is known to have a certificate of the new authority yet.
	ReasonWaitingForRenewal = "WaitingForRenewal"
	// ReasonWithdrawing means that the old certificate authority is not trusted any more.
	ReasonWithdrawing = "Withdrawing"
)

// Reasons of Adopting. While a step is in effect, the reason is Prepared, Injecting, Restarting or Complete.
const (
	// ReasonAdoptionPreparing means that the certificate authority and the settings of the Open Service Mesh are being copied.
	ReasonAdoptionPreparing = "AdoptionPreparing"
	// ReasonAdoptionChanging means that the step of spec.adoption is not in effect yet. The message has what it waits for.
	ReasonAdoptionChanging = "AdoptionChanging"
	// ReasonAdoptionBlocked means that somebody must change something before the takeover can begin or go on. The message has what.
	ReasonAdoptionBlocked = "AdoptionBlocked"
	// ReasonAdoptionPrepared means that the control plane runs next to the Open Service Mesh and serves nobody.
	ReasonAdoptionPrepared = "Prepared"
	// ReasonAdoptionInjecting means that this mesh injects new pods.
	ReasonAdoptionInjecting = "Injecting"
	// ReasonAdoptionRestarting means that workloads with sidecars of the Open Service Mesh are restarted.
	ReasonAdoptionRestarting = "Restarting"
	// ReasonAdoptionComplete means that the Open Service Mesh is removed, and spec.adoption can be removed.
	ReasonAdoptionComplete = "Complete"
)

// Reasons of failure. With the first group Stalled is True as well; the second group is retried.
const (
	// ReasonInvalidSpec means that the spec is invalid in a way that the API server cannot check.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonUnknownVersion means that this operator cannot install spec.version. The message lists the versions that it can.
	ReasonUnknownVersion = "UnknownVersion"
	// ReasonUnsupportedStep means that the mesh cannot move from its version to spec.version in one step, or that spec.version does not
	// support sidecars that run in the mesh. The message describes what to do first.
	ReasonUnsupportedStep = "UnsupportedStep"
	// ReasonNamespaceClaimed means that another Mesh, or an OSM that this operator did not install, runs in spec.namespace.
	ReasonNamespaceClaimed = "NamespaceClaimed"
	// ReasonRolledBack means that the mesh runs the last verified version, because the desired version failed its gates. The message
	// lists them. The version is retried with other images.
	ReasonRolledBack = "RolledBack"
	// ReasonUpgradeHalted means that a gate failed without a rollback, because spec.upgrade.rollback is Manual or no verified version
	// exists.
	ReasonUpgradeHalted = "UpgradeHalted"
	// ReasonCanaryBlocked means that a canary cannot start or continue, because no namespace is selected or a name would be too long. No gate
	// has failed.
	ReasonCanaryBlocked = "CanaryBlocked"
	// ReasonUnsupportedKubernetes means that the cluster is older than this version can run on.
	ReasonUnsupportedKubernetes = "UnsupportedKubernetes"

	// ReasonApplyFailed means that the API server rejected an object. The message has its answer.
	ReasonApplyFailed = "ApplyFailed"
	// ReasonComponentFailed means that a component could not be rendered or applied, or is not healthy. The message lists them.
	ReasonComponentFailed = "ComponentFailed"
	// ReasonPeersNotReady means that a peer is not accepted, trusted, connected or compatible. The message lists them.
	ReasonPeersNotReady = "PeersNotReady"
	// ReasonKindNotServed means that a component waits for a kind that the API server does not serve.
	ReasonKindNotServed = "KindNotServed"
	// ReasonCertificatesFailed means that a certificate could not be issued or read.
	ReasonCertificatesFailed = "CertificatesFailed"
	// ReasonReplicasFailed means that pods of the control plane keep failing, or did not become ready in time.
	ReasonReplicasFailed = "ReplicasFailed"
	// ReasonNamespacesRejected means that namespaces reject the ConfigMap with the root certificate, or objects of a component, for example because of a quota.
	ReasonNamespacesRejected = "NamespacesRejected"
	// ReasonGatewaysRejected means that the API server rejects objects of Gateways with pods of their own. Other Gateways are served.
	ReasonGatewaysRejected = "GatewaysRejected"
	// ReasonRestartsDenied means that restarts of workloads are rejected, for example by a policy engine. They are retried with a backoff.
	ReasonRestartsDenied = "RestartsDenied"
	// ReasonDeleteFailed means that an object of the mesh could not be removed.
	ReasonDeleteFailed = "DeleteFailed"
	// ReasonPlanFailed means that the plan could not be computed, or not completely.
	ReasonPlanFailed = "PlanFailed"
	// ReasonFieldsNotActedOn means that the MeshConfig sets fields that this version ignores.
	ReasonFieldsNotActedOn = "FieldsNotActedOn"
)
