package names

import "slices"

// Labels and annotations on users' objects.
const (
	// MonitoredByLabel on a namespace holds the name of the mesh the namespace belongs to.
	MonitoredByLabel = "openservicemesh.io/monitored-by"
	// IgnoreLabel on a namespace keeps it out of every mesh.
	IgnoreLabel = "openservicemesh.io/ignore"
	// PeerLabel on a ServiceExport or a ServiceImport is the consent to a peer: the name of its MeshPeer, or on a ServiceExport also AnyPeer. Without it,
	// the object belongs to another controller.
	PeerLabel = "openservicemesh.io/peer"
	// PeerJoinAnnotation on a ServiceImport is PeerFailover or PeerSpread if the Service of the peer serves a Service with pods in this cluster too. Without
	// it, the Service must have none.
	PeerJoinAnnotation = "openservicemesh.io/peer-join"
	// PeerFailover is the value of PeerJoinAnnotation for requests that no pod of this cluster can answer.
	PeerFailover = "Failover"
	// PeerSpread is the value of PeerJoinAnnotation for a share of all requests, and for those that no pod of this cluster can answer.
	PeerSpread = "Spread"
	// PeerShareAnnotation on a ServiceImport with PeerSpread is how many percent of the requests and TCP connections the peer answers, from 1 to 99.
	PeerShareAnnotation = "openservicemesh.io/peer-share"
	// AnyPeer is the value of PeerLabel for all peers.
	AnyPeer = "Any"
	// InjectionAnnotation on a namespace or pod turns injection on or off: enabled, yes, true or disabled, no, false.
	InjectionAnnotation = "openservicemesh.io/sidecar-injection"
	// MetricsAnnotation on a namespace adds scrape annotations to its pods with sidecars.
	MetricsAnnotation = "openservicemesh.io/metrics"
	// PermissiveAnnotation on a namespace overrides MeshConfig's permissive mode for its workloads: enabled, yes, true
	// or disabled, no, false. OSM did not have it.
	PermissiveAnnotation = "openservicemesh.io/permissive-traffic-policy"
	// EgressGatewayAnnotation on a namespace sends everything that its Egresses allow through the egress gateway: enabled, yes, true or
	// disabled, no, false. OSM did not have it.
	EgressGatewayAnnotation = "openservicemesh.io/egress-gateway"
	// EscapedSlashesAnnotation on a Service, or on a namespace for its Services and Egresses, is EscapedSlashesReject or EscapedSlashesDecode: what becomes of
	// requests with %2F or %5C in their paths. The default is to reject them. OSM did not have it.
	EscapedSlashesAnnotation = "openservicemesh.io/escaped-slashes"
	// EscapedSlashesReject answers such requests with status 400.
	EscapedSlashesReject = "reject"
	// EscapedSlashesDecode matches them with slashes in their place, and forwards their paths as they were sent.
	EscapedSlashesDecode = "decode"
	// OutboundPortExclusionAnnotation on a pod lists destination ports that are not redirected, separated by commas.
	OutboundPortExclusionAnnotation = "openservicemesh.io/outbound-port-exclusion-list"
	// InboundPortExclusionAnnotation on a pod lists its own ports that are not redirected, separated by commas.
	InboundPortExclusionAnnotation = "openservicemesh.io/inbound-port-exclusion-list"
	// OutboundIPRangeExclusionAnnotation on a pod lists destination CIDRs that are not redirected, separated by commas.
	OutboundIPRangeExclusionAnnotation = "openservicemesh.io/outbound-ip-range-exclusion-list"
	// OutboundIPRangeInclusionAnnotation on a pod lists the only destination CIDRs that are redirected.
	OutboundIPRangeInclusionAnnotation = "openservicemesh.io/outbound-ip-range-inclusion-list"
	// RedirectDNSAnnotation on a namespace or pod redirects connections to name servers to the sidecar: enabled, yes, true or disabled,
	// no, false. OSM did not have it.
	RedirectDNSAnnotation = "openservicemesh.io/redirect-dns"
	// DestinationsAnnotation on a namespace or pod overrides sidecar.destinations of the MeshConfig: Eager or OnDemand. OSM did not have it.
	DestinationsAnnotation = "openservicemesh.io/sidecar-destinations"
	// SidecarClassAnnotation on a namespace or pod names one of sidecar.classes of the MeshConfig. OSM did not have it.
	SidecarClassAnnotation = "openservicemesh.io/sidecar-class"
	// EagerDestinationsAnnotation on a namespace or pod lists Services that sidecars have from the beginning, separated by commas. OSM did not have it.
	EagerDestinationsAnnotation = "openservicemesh.io/sidecar-eager-destinations"
	// TapUntilAnnotation on a pod is a time in the format of RFC 3339. Until then its sidecar logs every request, also in a mesh that logs a share of them.
	// Times further ahead than MaxTap have no effect. `osm tap` sets it.
	TapUntilAnnotation = "openservicemesh.io/tap-until"
	// AnalyzeIgnoreAnnotation on any object lists the codes of `osm analyze` that are not reported for it, separated
	// by commas; * means all. OSM did not have it.
	AnalyzeIgnoreAnnotation = "openservicemesh.io/analyze-ignore"
	// ProxyUUIDLabel links a pod, its sidecar and the sidecar's node ID, for tools. Identity never depends on it.
	ProxyUUIDLabel = "osm-proxy-uuid"
	// RevisionLabel on a pod names the MeshRevision whose injector added its sidecar.
	RevisionLabel = "operator.openservicemesh.io/revision"
	// RestartAnnotation on a pod template records the operator's latest restart: the revision of the new sidecars, and
	// the time.
	RestartAnnotation = "operator.openservicemesh.io/restarted-for"
	// RestartLabel with the value "disabled" on a workload or a namespace prevents restarts by the operator.
	RestartLabel = "operator.openservicemesh.io/restart"
	// SlotsLevelAnnotation on a pod with two slots is the level of what their images do not carry: the bootstrap, the redirection and the launcher.
	// Only the images of a pod with the level of a version can be those of that version.
	SlotsLevelAnnotation = "operator.openservicemesh.io/slots-level"
	// SlotChangeAnnotation on a pod with two slots is the operator's record of its last change of a slot. Nobody else may write it.
	SlotChangeAnnotation = "operator.openservicemesh.io/slot-change"
	// SidecarHashAnnotation on a pod with two slots identifies what else the revision decides about its sidecar, apart from images.
	SidecarHashAnnotation = "operator.openservicemesh.io/sidecar-hash"
	// InjectedSidecarAnnotation and InjectedInitAnnotation on a pod with two slots are the images that the injector gave its slots and its init containers.
	// Other admission steps may replace the images, so the annotations show how.
	InjectedSidecarAnnotation = "operator.openservicemesh.io/injected-sidecar"
	InjectedInitAnnotation    = "operator.openservicemesh.io/injected-init"
	// TakeoverManager is the field manager of what the takeover from an Open Service Mesh writes.
	TakeoverManager = "osm-operator-adoption"
	// TakesOverAnnotation on a MeshConfig is the namespace of the Open Service Mesh that the mesh takes over. The injector leaves the sidecars of that alone.
	TakesOverAnnotation = "operator.openservicemesh.io/adopts"
	// OldKubeletsAnnotation on a MeshConfig names nodes whose kubelets do not restart a sidecar with another image. The injector then gives pods one
	// slot, because nobody knows yet on which node they will run. Only the operator writes it.
	OldKubeletsAnnotation = "operator.openservicemesh.io/old-kubelets"
	// TeardownAnnotation on a MeshConfig is the teardown step of a mesh that is being removed: TeardownOpen, then
	// TeardownPassthrough. Only the operator writes it. Other values have no effect.
	TeardownAnnotation = "operator.openservicemesh.io/leaving"
	// TeardownOpen makes sidecars accept any client, also without TLS.
	TeardownOpen = "open"
	// TeardownPassthrough also makes sidecars pass all connections through unchanged.
	TeardownPassthrough = "transparent"

	// ScrapeAnnotation, ScrapePortAnnotation and ScrapePathAnnotation are what Prometheus' pod discovery reads.
	ScrapeAnnotation     = "prometheus.io/scrape"
	ScrapePortAnnotation = "prometheus.io/port"
	ScrapePathAnnotation = "prometheus.io/path"
)

// Labels on the control plane's objects.
const (
	// PullLabel on a pod that pulls an image of sidecars is the name of the mesh.
	PullLabel = "operator.openservicemesh.io/pulls-for"
	// NameLabel, InstanceLabel and VersionLabel are the recommended Kubernetes labels. Only objects of OSM and of earlier operators have the instance,
	// which is the mesh name.
	NameLabel     = "app.kubernetes.io/name"
	InstanceLabel = "app.kubernetes.io/instance"
	VersionLabel  = "app.kubernetes.io/version"
	// ControlPlaneRevisionLabel on a pod of the control plane names its MeshRevision. Versions before v0.6 do not have it.
	ControlPlaneRevisionLabel = "operator.openservicemesh.io/control-plane-revision"
	// AppName is the value of NameLabel on everything that belongs to a mesh.
	AppName = "openservicemesh.io"
	// AppLabel names the component: osm-controller or osm-injector.
	AppLabel = "app"
	// AccountAnnotation on a pod of the control plane is the UID of its ServiceAccount. Tokens of a deleted account are invalid, also after an
	// account of that name was created again.
	AccountAnnotation = "operator.openservicemesh.io/service-account-uid"
	// ReportAudienceAnnotation on a pod of the controller is the audience that its report API requires, for people. Clients derive it from the
	// name of the mesh.
	ReportAudienceAnnotation = "operator.openservicemesh.io/report-audience"
	// DriftAnnotation with the value DriftIgnore keeps the operator from updating an object. The object is still deleted with its mesh, and
	// recreated after it was deleted.
	DriftAnnotation = "operator.openservicemesh.io/drift"
	DriftIgnore     = "ignore"
	// MeshNameLabel on the controller's Deployment is how the osm command line finds meshes.
	MeshNameLabel = "meshName"
	// MeshLabel marks every object that the operator creates for a mesh.
	MeshLabel = "operator.openservicemesh.io/mesh"
)

// OldestKubernetes is the oldest supported version of Kubernetes. It is the first one with the stable ValidatingAdmissionPolicy
// API. Native sidecars, which exist since 1.29, are required too.
const OldestKubernetes = "1.30.0"

// IsSystemNamespace returns true for the namespaces of Kubernetes. Their pods never get a sidecar: a cluster cannot start its mesh
// while its DNS and network depend on the mesh.
func IsSystemNamespace(name string) bool {
	return slices.Contains([]string{"kube-system", "kube-public", "kube-node-lease"}, name)
}
