package analyze

// Code is a kind of finding. Codes are never given a new meaning.
type Code struct {
	ID string `json:"code"`
	// Severity is that of its findings, unless the mesh's own judgement of the object is milder.
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`
	// Meaning says what is wrong and what comes of it, Remedy what to do.
	Meaning string `json:"meaning"`
	Remedy  string `json:"remedy"`
}

// The codes. The first two digits are the subject: 01 an object by itself, 02 references, 03 conflicts, 04 what does not act,
// 05 workloads, 06 namespaces, 07 the control plane.
const (
	codeOther = "OSM0100"

	codeNoDestination    = "OSM0201"
	codeNotBehindService = "OSM0202"
	codeNoSource         = "OSM0203"
	codeSourceOutside    = "OSM0204"
	codeNoRoute          = "OSM0205"
	codeNoMatch          = "OSM0206"
	codeUnusedRoute      = "OSM0207"
	codeNoRoot           = "OSM0208"
	codeNoBackend        = "OSM0209"
	codeBackendPort      = "OSM0210"
	codeNoHost           = "OSM0211"
	codeNoRetryTarget    = "OSM0212"
	codeUnknownPort      = "OSM0213"
	codeWrongProtocol    = "OSM0214"

	codeSplitConflict   = "OSM0301"
	codeRetryConflict   = "OSM0302"
	codeSettingConflict = "OSM0303"

	codeRetriesOff  = "OSM0401"
	codeOutsideMesh = "OSM0402"
	codePermissive  = "OSM0403"
	codeDeprecated  = "OSM0404"
	codeNotActedOn  = "OSM0405"
	codeRejected    = "OSM0406"

	codeMadeBefore     = "OSM0501"
	codeNotInjected    = "OSM0502"
	codeHostNetwork    = "OSM0503"
	codeOldSidecar     = "OSM0504"
	codeNobodySelected = "OSM0505"

	codeNoSuchMesh  = "OSM0601"
	codeIgnored     = "OSM0602"
	codeNoMembers   = "OSM0603"
	codePodSecurity = "OSM0604"

	codeNoTrust      = "OSM0701"
	codeRootEnded    = "OSM0702"
	codeRootEnds     = "OSM0703"
	codeNoInjector   = "OSM0704"
	codeNoValidator  = "OSM0705"
	codeNoAdmission  = "OSM0706"
	codeMeshNotReady = "OSM0707"
	codeNoMeshConfig = "OSM0708"
)

// Codes are all codes, sorted.
func Codes() []Code {
	var all []Code
	all = append(all, ownCodes()...)
	all = append(all, referenceCodes()...)
	all = append(all, conflictCodes()...)
	all = append(all, actingCodes()...)
	all = append(all, workloadCodes()...)
	all = append(all, namespaceCodes()...)
	return append(all, controlPlaneCodes()...)
}

func referenceCodes() []Code {
	return []Code{
		{codeNoDestination, Error, "The destination of a TrafficTarget does not exist", "No service account of that name exists in the namespace, so the policy lets nobody in anywhere.", "Correct spec.destination.name, or create the service account."},
		{codeNotBehindService, Warning, "The destination of a TrafficTarget is behind no Service", "Sidecars reach pods through Services only. No Service selects a pod that runs as the destination, so the policy has no effect.", "Create a Service whose selector matches the pods, or correct the destination. A workload without running pods is behind no Service either."},
		{codeNoSource, Warning, "A source does not exist", "No service account of that name exists in the namespace, so nobody makes use of the policy.", "Correct the name or the namespace of the source, or create the service account."},
		{codeSourceOutside, Warning, "A source is outside the mesh", "The namespace of the source does not belong to the mesh, so its pods have no identity that a sidecar could let in.", "Add the namespace: osm namespace add NAMESPACE."},
		{codeNoRoute, Error, "A route object does not exist", "A rule refers to an HTTPRouteGroup or a TCPRoute that does not exist in the namespace of the policy. The rule grants nothing, and a TrafficSplit with it divides nothing.", "Create the route object in the same namespace, or correct the name."},
		{codeNoMatch, Error, "A match does not exist", "A rule names a match that the HTTPRouteGroup does not have, or that cannot be used. That part of the rule grants nothing.", "Add the match to the HTTPRouteGroup, or correct the name."},
		{codeUnusedRoute, Info, "Nobody refers to a route object", "An HTTPRouteGroup or a TCPRoute does nothing by itself.", "Refer to it from a TrafficTarget or a TrafficSplit, or delete it."},
		{codeNoRoot, Error, "The root of a TrafficSplit does not exist", "Clients ask for the root Service, so without it nobody reaches the backends by the split.", "Create the Service, or correct spec.service."},
		{codeNoBackend, Error, "A backend of a TrafficSplit does not exist", "A backend that is no Service of the namespace takes no part: the others share its requests. When none is left, requests fail.", "Create the Service, or correct the name of the backend."},
		{codeBackendPort, Warning, "A backend lacks a port of the root", "Requests keep the port that the client has asked for. A backend without a port of that number takes no part in the split.", "Give the backend Service a port of the same number."},
		{codeNoHost, Error, "An UpstreamTrafficSetting is about no Service", "spec.host (for a Backpressure, the label app) names no Service of its namespace, so nothing is bounded.", "Correct spec.host: <service>.<namespace>.svc.cluster.local."},
		{codeNoRetryTarget, Warning, "A Retry is about a Service that does not exist", "Requests to the destination are not repeated.", "Correct the destination: <service>.<namespace>.svc.cluster.local."},
		{codeUnknownPort, Warning, "A TCPRoute names a port that the destination does not have", "TCPRoutes name ports of the container behind a Service. The destination has no such port behind any Service, so the route opens nothing there.", "Name the targetPort of the Service, or correct the number."},
		{codeWrongProtocol, Warning, "Rules do not fit the protocol of the destination", "A TrafficTarget with HTTPRouteGroups alone opens HTTP ports alone, and all ports of the destination are taken for TCP.", "Add a rule with a TCPRoute, or name the protocol of the Service's port by appProtocol: http."},
	}
}

func conflictCodes() []Code {
	return []Code{
		{codeSplitConflict, Error, "TrafficSplits conflict", "Two TrafficSplits divide the same requests to one Service. The older one counts, and the other does nothing.", "Delete one of the two, or give them matches that differ."},
		{codeRetryConflict, Warning, "Retries conflict", "Two Retries are about requests of one client to one Service. The older one counts.", "Remove the destination from one of the two."},
		{codeSettingConflict, Warning, "UpstreamTrafficSettings conflict", "Two objects bound the traffic to one Service. The older UpstreamTrafficSetting counts; a Backpressure counts only where there is no UpstreamTrafficSetting.", "Merge the two into one."},
	}
}

func actingCodes() []Code {
	return []Code{
		{codeRetriesOff, Warning, "Retry policies are switched off", "A Retry acts only while the MeshConfig says so.", "Set spec.featureFlags.enableRetryPolicy to true in the MeshConfig."},
		{codeOutsideMesh, Warning, "A policy lies in a namespace outside the mesh", "Nothing in that namespace has a sidecar of the mesh, so the policy has no effect.", "Add the namespace: osm namespace add NAMESPACE. Or move the policy."},
		{codePermissive, Info, "Permissive mode makes TrafficTargets idle", "In permissive mode everybody in the mesh may call everybody, whatever TrafficTargets say.", "Turn permissive mode off for the mesh (MeshConfig, spec.traffic.enablePermissiveTrafficPolicyMode) or for the namespace when the policies are complete. `osm plan` shows who would be denied."},
		{codeDeprecated, Warning, "A deprecated kind or version", "The object is written in a kind or a version of the API that has a successor.", "Write it in the version that the message names."},
		{codeNotActedOn, Warning, "A kind that the mesh does not act on", "The object is of a kind of Open Service Mesh that this version does not act on, so it does nothing.", "See the feature table in docs/compatibility.md for what to use instead."},
		{codeRejected, Error, "Sidecars reject a policy", "A sidecar refused the configuration that came of the policy, which is withheld from it until the policy changes.", "The condition Accepted of the object has the sidecar's words: correct what they are about."},
	}
}

func workloadCodes() []Code {
	return []Code{
		{codeMadeBefore, Warning, "Pods were made before their namespace joined the mesh", "The pods have no sidecar, though injection is enabled: they were made before it was, or while the injector was away. The mesh does not protect them, and they reach nobody in it.", "Restart the workload: kubectl rollout restart."},
		{codeNotInjected, Info, "Injection is disabled", "Pods of a namespace of the mesh have no sidecar because an annotation says so, or because none asks for one.", "If that is not meant, set the annotation openservicemesh.io/sidecar-injection to enabled at the namespace or the pod template, and restart the workload."},
		{codeHostNetwork, Warning, "Pods use the network of their node", "The traffic of such pods cannot be told from that of the node, so they get no sidecar, and workloads of the mesh refuse their connections.", "Run the workload without hostNetwork, or in a namespace outside the mesh."},
		{codeOldSidecar, Warning, "Sidecars are of another version than the control plane", "The sidecars go on working, without what newer ones can do.", "Restart the workload: kubectl rollout restart."},
		{codeNobodySelected, Info, "A Service selects no pod", "Requests to the Service fail until there are pods that its selector matches.", "Correct the selector, or start the workload."},
	}
}

func namespaceCodes() []Code {
	return []Code{
		{codeNoSuchMesh, Error, "A namespace belongs to a mesh that does not exist", "The label openservicemesh.io/monitored-by names a mesh that this cluster does not have: no sidecars are injected, and no policies act.", "Correct the label: osm namespace add NAMESPACE --mesh-name MESH. Or remove it."},
		{codeIgnored, Warning, "A namespace is in the mesh and ignored at once", "The label openservicemesh.io/ignore wins: the namespace is not part of the mesh.", "Remove one of the two labels."},
		{codeNoMembers, Info, "The mesh has no namespaces", "No namespace carries the label of the mesh, so nothing runs in it.", "Add one: osm namespace add NAMESPACE."},
		{codePodSecurity, Error, "Pod security forbids sidecars", "The namespace enforces a pod security level that refuses the capability NET_ADMIN of the init container: pods with sidecars do not start.", "kubectl label namespace NAMESPACE pod-security.kubernetes.io/enforce=privileged --overwrite"},
	}
}

func controlPlaneCodes() []Code {
	return []Code{
		{codeNoTrust, Error, "The root certificate is missing in a namespace", "New pods of the namespace do not start, because their sidecars cannot know the control plane.", "The operator makes the ConfigMap within seconds. If it does not, see its log; `osm check` shows whether it runs."},
		{codeRootEnded, Error, "The root certificate has ended", "Sidecars no longer trust each other, nor the control plane.", "Renew the root of the mesh."},
		{codeRootEnds, Warning, "The root certificate ends soon", "When it ends, sidecars no longer trust each other, nor the control plane.", "Renew the root of the mesh in time."},
		{codeNoInjector, Error, "The injector's webhook is missing", "New pods get no sidecar.", "The operator makes it again. If it does not, see its log; `osm check` shows whether it runs."},
		{codeNoValidator, Warning, "The validator's webhook is missing", "Policies that the mesh cannot act on are accepted by the cluster, and only their status says so.", "The operator makes it again. If it does not, see its log."},
		{codeNoAdmission, Warning, "An admission policy is missing", "A TrafficTarget for another namespace's workload is not refused when it is written. The mesh does not act on it all the same.", "The operator makes it again. If it does not, see its log."},
		{codeMeshNotReady, Error, "The mesh is not ready", "The operator could not bring the mesh into its declared state.", "The message has the reason; `osm check` says more."},
		{codeNoMeshConfig, Error, "There is no MeshConfig", "Without a MeshConfig everything is off: what no policy allows is denied.", "The operator makes it when the Mesh is applied. Without a Mesh, apply a MeshConfig named osm-mesh-config in the namespace of the mesh."},
	}
}
