package names

// Labels and annotations on users' objects.
const (
	// MonitoredByLabel on a namespace holds the name of the mesh the namespace belongs to.
	MonitoredByLabel = "openservicemesh.io/monitored-by"
	// IgnoreLabel on a namespace keeps it out of every mesh.
	IgnoreLabel = "openservicemesh.io/ignore"
	// InjectionAnnotation on a namespace or pod turns injection on or off: enabled, yes, true or disabled, no, false.
	InjectionAnnotation = "openservicemesh.io/sidecar-injection"
	// MetricsAnnotation on a namespace asks for scrape annotations on its sidecars.
	MetricsAnnotation = "openservicemesh.io/metrics"
	// PermissiveAnnotation on a namespace says for its workloads what MeshConfig says for all about permissive mode: enabled, yes,
	// true or disabled, no, false. OSM had no such word.
	PermissiveAnnotation = "openservicemesh.io/permissive-traffic-policy"
	// OutboundPortExclusionAnnotation on a pod lists destination ports that are not redirected, separated by commas.
	OutboundPortExclusionAnnotation = "openservicemesh.io/outbound-port-exclusion-list"
	// InboundPortExclusionAnnotation on a pod lists its own ports that are not redirected, separated by commas.
	InboundPortExclusionAnnotation = "openservicemesh.io/inbound-port-exclusion-list"
	// OutboundIPRangeExclusionAnnotation on a pod lists destination CIDRs that are not redirected, separated by commas.
	OutboundIPRangeExclusionAnnotation = "openservicemesh.io/outbound-ip-range-exclusion-list"
	// OutboundIPRangeInclusionAnnotation on a pod lists the only destination CIDRs that are redirected.
	OutboundIPRangeInclusionAnnotation = "openservicemesh.io/outbound-ip-range-inclusion-list"
	// AnalyzeIgnoreAnnotation on any object lists the codes of `osm analyze`, separated by commas, that are not to be reported about
	// it; * means all. OSM had no such command.
	AnalyzeIgnoreAnnotation = "openservicemesh.io/analyze-ignore"
	// ProxyUUIDLabel links a pod, its sidecar and the sidecar's node id, for tools; identity never comes from it.
	ProxyUUIDLabel = "osm-proxy-uuid"
	// RevisionLabel on a pod names the MeshRevision whose injector made its sidecar.
	RevisionLabel = "operator.openservicemesh.io/revision"
	// RestartAnnotation on a pod template is the operator's latest restart: the revision whose sidecars the new pods get, and when.
	RestartAnnotation = "operator.openservicemesh.io/restarted-for"
	// RestartLabel on a workload or a namespace with the value "disabled" keeps the operator from restarting it.
	RestartLabel = "operator.openservicemesh.io/restart"
	// LeavingAnnotation of a MeshConfig is written by the operator while it takes the sidecars out of a mesh that is being removed:
	// LeavingOpen, then LeavingTransparent. Anything else is as if it were absent.
	LeavingAnnotation = "operator.openservicemesh.io/leaving"
	// LeavingOpen makes sidecars accept connections of whoever asks as well, also without TLS.
	LeavingOpen = "open"
	// LeavingTransparent makes sidecars send everything unchanged to where it was going, too.
	LeavingTransparent = "transparent"

	// ScrapeAnnotation, ScrapePortAnnotation and ScrapePathAnnotation are what Prometheus' pod discovery reads.
	ScrapeAnnotation     = "prometheus.io/scrape"
	ScrapePortAnnotation = "prometheus.io/port"
	ScrapePathAnnotation = "prometheus.io/path"
)

// Labels on the control plane's objects.
const (
	// NameLabel, InstanceLabel and VersionLabel are the recommended Kubernetes labels; instance is the mesh name.
	NameLabel     = "app.kubernetes.io/name"
	InstanceLabel = "app.kubernetes.io/instance"
	VersionLabel  = "app.kubernetes.io/version"
	// AppName is the value of NameLabel on everything that belongs to a mesh.
	AppName = "openservicemesh.io"
	// AppLabel names the component: osm-controller or osm-injector.
	AppLabel = "app"
	// MeshNameLabel on the controller's Deployment is how the osm command line finds meshes.
	MeshNameLabel = "meshName"
	// MeshLabel marks every object that the operator made for a mesh.
	MeshLabel = "operator.openservicemesh.io/mesh"
)
