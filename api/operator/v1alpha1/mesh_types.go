package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Mesh declares one service mesh. Its name is the mesh name: a namespace joins the mesh by this value in its label
// openservicemesh.io/monitored-by. An empty spec is a complete mesh that denies traffic by default.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=osm
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Desired",type=string,JSONPath=`.status.desiredVersion`
// +kubebuilder:printcolumn:name="Outdated",type=integer,JSONPath=`.status.proxies.outdated`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Namespace",type=string,JSONPath=`.status.namespace`,priority=1
// +kubebuilder:printcolumn:name="Components",type=string,JSONPath=`.status.conditions[?(@.type=="ComponentsReady")].reason`,priority=1
// +kubebuilder:printcolumn:name="Rotation",type=string,JSONPath=`.status.conditions[?(@.type=="RotatingAuthority")].reason`,priority=1
// +kubebuilder:printcolumn:name="Plan",type=string,JSONPath=`.status.plan.summary`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 53 && !self.metadata.name.contains('.')",messageExpression="'metadata.name \"' + self.metadata.name + '\" cannot name a mesh: it is the value of the namespace label openservicemesh.io/monitored-by and part of other names, so use at most 53 characters and no dots'"
// +kubebuilder:validation:XValidation:rule="(has(self.spec) && has(self.spec.__namespace__) ? self.spec.__namespace__ : 'osm-system') == (has(oldSelf.spec) && has(oldSelf.spec.__namespace__) ? oldSelf.spec.__namespace__ : 'osm-system')",messageExpression="'spec.namespace cannot change, this mesh runs in ' + (has(oldSelf.spec) && has(oldSelf.spec.__namespace__) ? oldSelf.spec.__namespace__ : 'osm-system') + ': delete the Mesh and create it again to move it'"
// +kubebuilder:validation:XValidation:rule="!(has(self.spec) && has(self.spec.certificates) && has(self.spec.certificates.trustDomain) ? self.spec.certificates.trustDomain : 'cluster.local').endsWith('.' + (has(oldSelf.spec) && has(oldSelf.spec.certificates) && has(oldSelf.spec.certificates.trustDomain) ? oldSelf.spec.certificates.trustDomain : 'cluster.local')) && !(has(oldSelf.spec) && has(oldSelf.spec.certificates) && has(oldSelf.spec.certificates.trustDomain) ? oldSelf.spec.certificates.trustDomain : 'cluster.local').endsWith('.' + (has(self.spec) && has(self.spec.certificates) && has(self.spec.certificates.trustDomain) ? self.spec.certificates.trustDomain : 'cluster.local'))",messageExpression="'spec.certificates.trustDomain cannot change from ' + (has(oldSelf.spec) && has(oldSelf.spec.certificates) && has(oldSelf.spec.certificates.trustDomain) ? oldSelf.spec.certificates.trustDomain : 'cluster.local') + ' to ' + (has(self.spec) && has(self.spec.certificates) && has(self.spec.certificates.trustDomain) ? self.spec.certificates.trustDomain : 'cluster.local') + ': one is a subdomain of the other, so two service accounts could have the same name. Choose another trust domain'"
type Mesh struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the desired state of the mesh. Every field is optional.
	// +optional
	// +kubebuilder:default:={}
	Spec MeshSpec `json:"spec,omitzero"`

	// status is the observed state of the mesh. Only the operator writes it. The default keeps kstatus from
	// regarding a new object as complete.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status MeshStatus `json:"status,omitzero"`
}

// MeshSpec is the desired state of a mesh. An absent field has the default that its comment states.
type MeshSpec struct {
	// namespace is where the control plane runs. The operator creates it if it does not exist. It cannot change.
	// Default: osm-system.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",messageExpression="'spec.namespace \"' + self + '\" is not a namespace name: use lowercase letters, digits and dashes, for example osm-system'"
	// +kubebuilder:validation:XValidation:rule="!(self in ['kube-system', 'kube-public', 'kube-node-lease'])",messageExpression="'spec.namespace ' + self + ' belongs to Kubernetes: give the mesh a namespace of its own, for example osm-system'"
	Namespace *string `json:"namespace,omitempty"`

	// version is the version of the control plane, for example v0.1.0. Default: the version of the operator.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^v[0-9]+[.][0-9]+[.][0-9]+(-[0-9A-Za-z.-]+)?$')",messageExpression="'spec.version \"' + self + '\" is not a version: write v and three numbers, for example v0.1.0'"
	Version *string `json:"version,omitempty"`

	// controlPlane configures the controller, which serves configuration to sidecars, and the injector, which adds sidecars to pods.
	// +optional
	ControlPlane *ControlPlaneSpec `json:"controlPlane,omitempty"`

	// sidecar configures the Envoy container of pods that are created from now on.
	// +optional
	Sidecar *SidecarSpec `json:"sidecar,omitempty"`

	// traffic sets mesh-wide defaults for traffic that no policy selects.
	// +optional
	Traffic *TrafficSpec `json:"traffic,omitempty"`

	// certificates configures the identities of workloads.
	// +optional
	Certificates *CertificatesSpec `json:"certificates,omitempty"`

	// observability configures Prometheus, dashboards, traces and traffic metrics of the mesh.
	// +optional
	Observability *ObservabilitySpec `json:"observability,omitempty"`

	// ingressGateway configures a gateway for clients outside the mesh.
	// +optional
	IngressGateway *IngressGatewaySpec `json:"ingressGateway,omitempty"`

	// egressGateway configures a gateway for calls of workloads to hosts outside the mesh.
	// +optional
	EgressGateway *EgressGatewaySpec `json:"egressGateway,omitempty"`

	// peerGateway configures a gateway for connections with other meshes, which MeshPeers declare.
	// +optional
	PeerGateway *PeerGatewaySpec `json:"peerGateway,omitempty"`

	// upgrade configures how the mesh moves from one version to another, and back.
	// +optional
	Upgrade *UpgradeSpec `json:"upgrade,omitempty"`

	// mode is Apply or Plan. Apply reconciles the mesh to its spec. Plan changes nothing and writes into status.plan what Apply
	// would do. Default: Apply.
	// +optional
	Mode *MeshMode `json:"mode,omitempty"`

	// removal configures what happens to workloads when the Mesh is deleted.
	// +optional
	Removal *RemovalSpec `json:"removal,omitempty"`

	// adoption moves the workloads of an Open Service Mesh to this mesh. It is absent for other meshes, and is removed when nothing uses it any more.
	// +optional
	Adoption *AdoptionSpec `json:"adoption,omitempty"`

	// paused stops the operator from changing this mesh. Its status is still updated. Default: false.
	// +optional
	Paused *bool `json:"paused,omitempty"`
}

// SidecarSpec configures the Envoy container that the injector adds to pods.
type SidecarSpec struct {
	// image is the image of Envoy. Default: the image in the MeshConfig, or else the image of the version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image *string `json:"image,omitempty"`

	// logLevel is the log level of Envoy. Default: the level in the MeshConfig, initially error.
	// +optional
	// +kubebuilder:validation:Enum=trace;debug;info;warning;warn;error;critical;off
	LogLevel *string `json:"logLevel,omitempty"`

	// resources are the compute resources of the Envoy container and of the init containers of the mesh. Default: the resources in the MeshConfig.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// classes are sidecars of other sizes than that of resources. A pod gets the class that its annotation openservicemesh.io/sidecar-class
	// names, or else that of its namespace. They concern new pods. Default: the classes in the MeshConfig, initially none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Classes []SidecarClass `json:"classes,omitempty"`

	// drainTimeout is how long connections of an earlier Envoy may last after a later one has taken over in its pod. Then they are closed.
	// It concerns new pods, with upgrade.dataPlane.restart InPlace. It is between 1m and 24h. Default: 1h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('1m') && duration(self) <= duration('24h')",messageExpression="'spec.sidecar.drainTimeout is ' + self + ': use 1m to 24h'"
	DrainTimeout *Duration `json:"drainTimeout,omitempty"`

	// statistics are the statistics of Envoy that a sidecar keeps: Essential, what dashboards, alerts and upgrades use, or All.
	// Metrics with labels of workloads do not depend on it. Default: the value in the MeshConfig, initially Essential.
	// +optional
	// +kubebuilder:validation:Enum=Essential;All
	Statistics *string `json:"statistics,omitempty"`

	// destinations are Eager, OnDemand or Auto. An Eager sidecar has the configuration of all Services that its pod may call. An OnDemand
	// sidecar loads each at the first call, so its memory does not grow with the mesh. Auto selects OnDemand for a new pod if more than 50
	// Services are in namespaces with permissive mode. OnDemand requires the ServiceCIDRs of Kubernetes 1.33 or newer, and the Envoy image of
	// the version: other sidecars are Eager. Default: the value in the MeshConfig, initially Eager.
	// +optional
	// +kubebuilder:validation:Enum=Eager;OnDemand;Auto
	Destinations *string `json:"destinations,omitempty"`

	// sourceAddresses are the addresses from which the control plane accepts the token of a pod: Any, unless another running pod has the
	// address, or Own, those of the pod alone. Own requires a network that never replaces the source address of a pod by an address of its
	// node. It applies to new connections. Default: the value in the MeshConfig, initially Any.
	// +optional
	// +kubebuilder:validation:Enum=Any;Own
	SourceAddresses *string `json:"sourceAddresses,omitempty"`
}

// SidecarClass is a size of sidecars.
type SidecarClass struct {
	// name is the value of the annotation openservicemesh.io/sidecar-class.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// namespaceSelector selects the namespaces whose pods may have the class, by their labels. Default: all namespaces.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// resources replace sidecar.resources as a whole. Default: sidecar.resources.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// concurrency is the number of worker threads of Envoy. Default: one for each whole CPU of the limit, and 2 without a limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	Concurrency *int32 `json:"concurrency,omitempty"`

	// drainTimeout is how long connections of an earlier Envoy may last after a later one has taken over in its pod, at least 1m. A value
	// longer than sidecar.drainTimeout has no effect. Default: sidecar.drainTimeout.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('1m')",messageExpression="'drainTimeout is ' + self + ': use 1m or more'"
	DrainTimeout *Duration `json:"drainTimeout,omitempty"`
}

// TrafficSpec sets defaults for traffic that no policy selects.
type TrafficSpec struct {
	// permissive allows every workload of the mesh to call every other one, without access policies. Default: the value in the
	// MeshConfig, initially false: traffic that no policy allows is denied.
	// +optional
	Permissive *bool `json:"permissive,omitempty"`

	// egress allows workloads to call addresses outside the mesh. Default: the value in the MeshConfig, initially false.
	// +optional
	Egress *bool `json:"egress,omitempty"`

	// rulesWithoutMatches decides what a TrafficTarget rule allows if it refers to an HTTPRouteGroup and lists none of its matches.
	// All allows every match, as the Service Mesh Interface specifies. None allows nothing, as Open Service Mesh does.
	// Default: the value in the MeshConfig, initially All.
	// +optional
	// +kubebuilder:validation:Enum=All;None
	RulesWithoutMatches *string `json:"rulesWithoutMatches,omitempty"`
}

// CertificateProvider is who provides the certificate authority of a mesh.
// +kubebuilder:validation:Enum=BuiltIn;CertManager;Vault
type CertificateProvider string

// The providers.
const (
	ProviderBuiltIn     CertificateProvider = "BuiltIn"
	ProviderCertManager CertificateProvider = "CertManager"
	ProviderVault       CertificateProvider = "Vault"
)

// WorkloadIssuance is how workloads get certificates.
// +kubebuilder:validation:Enum=Intermediate;CertificateRequest
type WorkloadIssuance string

// The ways of issuance.
const (
	IssuanceIntermediate       WorkloadIssuance = "Intermediate"
	IssuanceCertificateRequest WorkloadIssuance = "CertificateRequest"
)

// IssuerReference refers to an issuer of cert-manager.
type IssuerReference struct {
	// name is the name of the issuer.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// kind is the kind of the issuer. An Issuer must be in the namespace of the mesh. Default: Issuer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind *string `json:"kind,omitempty"`

	// group is the API group of the issuer. Default: cert-manager.io.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Group *string `json:"group,omitempty"`
}

// CertificatesSpec configures the certificates that prove the identity of workloads.
//
// +kubebuilder:validation:XValidation:rule="(has(self.provider) && self.provider == 'CertManager') == has(self.issuerRef)",message="spec.certificates.issuerRef and the provider CertManager belong together: set both, or neither"
// +kubebuilder:validation:XValidation:rule="(has(self.provider) && self.provider == 'Vault') == has(self.vault)",message="spec.certificates.vault and the provider Vault belong together: set both, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.issuerRef) && !has(self.vault) || !has(self.rotateRoot)",message="spec.certificates.rotateRoot makes a built-in root: with another provider, replace the root of the issuer instead"
// +kubebuilder:validation:XValidation:rule="!has(self.workloadIssuance) || self.workloadIssuance == 'Intermediate' || has(self.issuerRef)",message="spec.certificates.workloadIssuance CertificateRequest needs the provider CertManager: set provider and issuerRef, or omit it"
type CertificatesSpec struct {
	// trustDomain is the last part of every identity in the mesh: <service account>.<namespace>.<trust domain>. A
	// change is a rotation, in which both are accepted. Default: cluster.local.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",messageExpression="'spec.certificates.trustDomain \"' + self + '\" is not a trust domain: write a lowercase DNS name, for example cluster.local'"
	TrustDomain *string `json:"trustDomain,omitempty"`

	// provider is who provides the certificate authority. BuiltIn uses the root in the Secret osm-ca-bundle. CertManager uses an
	// intermediate authority from cert-manager, and Vault one that the PKI of a Vault signs. A change is a rotation. Default: BuiltIn.
	// +optional
	Provider *CertificateProvider `json:"provider,omitempty"`

	// issuerRef is the issuer of cert-manager that issues the intermediate authority. It is required with CertManager.
	// +optional
	IssuerRef *IssuerReference `json:"issuerRef,omitempty"`

	// workloadIssuance is how workloads get certificates with the provider CertManager. Intermediate issues them in the control plane, with
	// the intermediate authority. CertificateRequest creates a CertificateRequest for each, so that the issuer and its policies decide about
	// each identity. Default: Intermediate.
	// +optional
	WorkloadIssuance *WorkloadIssuance `json:"workloadIssuance,omitempty"`

	// vault is the Vault that signs the intermediate authority. It is required with Vault.
	// +optional
	Vault *VaultSpec `json:"vault,omitempty"`

	// serviceCertificateDuration is how long the certificate of a workload is valid, at least 1m. Certificates are renewed before
	// they expire. Default: the duration in the MeshConfig, initially 24h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('1m')",messageExpression="'spec.certificates.serviceCertificateDuration ' + self + ' is too short: certificates must be valid for at least 1m'"
	ServiceCertificateDuration *Duration `json:"serviceCertificateDuration,omitempty"`

	// key configures the private key of each certificate. Default: ECDSA with 256 bits.
	// +optional
	Key *KeySpec `json:"key,omitempty"`

	// rotateRoot replaces the root by a new one whenever its value changes, without failed calls. The value is any name of the new root,
	// for example 2026-11. Until the condition RotatingAuthority is gone, the earlier value goes back to the earlier root. Default:
	// none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z]([-0-9A-Za-z_.]*[0-9A-Za-z])?$')",messageExpression="'spec.certificates.rotateRoot \"' + self + '\" is not a name for a root: use letters, digits, dashes, dots and underscores, for example 2026-11'"
	RotateRoot *string `json:"rotateRoot,omitempty"`

	// rotateWithout are namespaces that a change of the certificate authority or the trust domain does not wait for. A sidecar there may, for
	// example, not respond. Their connections can fail until they have the new root. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",messageExpression="'spec.certificates.rotateWithout \"' + self + '\" is not the name of a namespace'"
	RotateWithout []string `json:"rotateWithout,omitempty"`

	// rotateWithoutPeers are names of MeshPeers that a change of the root does not wait for. A peer may, for example, not be connected. It rejects
	// workloads of this mesh afterwards, until its MeshPeer declares the new root. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",messageExpression="'spec.certificates.rotateWithoutPeers \"' + self + '\" is not the name of a MeshPeer'"
	RotateWithoutPeers []string `json:"rotateWithoutPeers,omitempty"`
}

// KeySpec is the algorithm and size of the private keys of workloads.
//
// +kubebuilder:validation:XValidation:rule="!has(self.size) || ((has(self.algorithm) ? self.algorithm : 'ECDSA') == 'RSA' ? self.size in [2048, 3072, 4096] : self.size in [256, 384])",messageExpression="'spec.certificates.key.size %d does not fit the algorithm %s: use 256 or 384 with ECDSA, and 2048, 3072 or 4096 with RSA'.format([self.size, has(self.algorithm) ? self.algorithm : 'ECDSA'])"
type KeySpec struct {
	// algorithm is ECDSA or RSA. Default: ECDSA.
	// +optional
	Algorithm *KeyAlgorithm `json:"algorithm,omitempty"`

	// size is the key size in bits: 256 or 384 for ECDSA; 2048, 3072 or 4096 for RSA. Default: 256 for ECDSA and
	// 2048 for RSA.
	// +optional
	Size *int32 `json:"size,omitempty"`
}

// MeshStatus is the observed state of a mesh.
type MeshStatus struct {
	// observedGeneration is the generation of the Mesh that this status is based on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// namespace is where the mesh runs, with the default applied.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// phase summarises what happens to the mesh.
	// +optional
	Phase MeshPhase `json:"phase,omitempty"`

	// version is the version of the active control plane, as observed: all its pods have been ready in this version. It is empty
	// until the first installation is ready, and changes during an upgrade when the new version is ready as the active one.
	// +optional
	Version string `json:"version,omitempty"`

	// desiredVersion is the version that the mesh should run: spec.version, with the default applied.
	// +optional
	DesiredVersion string `json:"desiredVersion,omitempty"`

	// conditions report parts of the mesh; Ready summarises them.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// revisions are the existing versions of the control plane, sorted by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	Revisions []RevisionSummary `json:"revisions,omitempty"`

	// namespaces is the number of namespaces whose label openservicemesh.io/monitored-by has the name of this mesh.
	// +optional
	Namespaces int32 `json:"namespaces,omitempty"`

	// proxies counts the sidecars of this mesh.
	// +optional
	Proxies *ProxyCounts `json:"proxies,omitempty"`

	// bridge is the time in which sidecars of Open Service Mesh are served. It is absent if they never were.
	// +optional
	Bridge *BridgeStatus `json:"bridge,omitempty"`

	// certificates describes the certificate authority and the certificates of the webhooks.
	// +optional
	Certificates *CertificatesStatus `json:"certificates,omitempty"`

	// components is the inventory of independent parts of the mesh, such as Services and autoscalers.
	// +optional
	// +listType=map
	// +listMapKey=name
	Components []ComponentStatus `json:"components,omitempty"`

	// upgrade is the upgrade, or rollback, in progress. It is absent while the mesh runs the desired version.
	// +optional
	Upgrade *UpgradeStatus `json:"upgrade,omitempty"`

	// plan is what Apply would do. It exists only with spec.mode Plan.
	// +optional
	Plan *PlanStatus `json:"plan,omitempty"`

	// removal is the progress of the removal. It is absent unless the Mesh is being deleted.
	// +optional
	Removal *RemovalStatus `json:"removal,omitempty"`

	// adoption is the progress of a takeover from an Open Service Mesh. It is absent without one.
	// +optional
	Adoption *AdoptionStatus `json:"adoption,omitempty"`

	// history lists completed upgrades, the latest first, at most 10.
	// +optional
	// +listType=atomic
	History []HistoryEntry `json:"history,omitempty"`
}

// RevisionSummary describes one MeshRevision in the status of its Mesh.
type RevisionSummary struct {
	// name is the name of the MeshRevision.
	Name string `json:"name"`

	// version is the version of the control plane of this revision.
	Version string `json:"version"`

	// role is Active, Canary, Promoting or Standby.
	// +optional
	Role Role `json:"role,omitempty"`

	// ready is true when all pods of the revision are up to date and ready.
	Ready bool `json:"ready"`
}

// MeshList is a list of meshes.
//
// +kubebuilder:object:root=true
type MeshList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Mesh `json:"items"`
}
