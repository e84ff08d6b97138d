package analyze

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Code is a kind of finding. The meaning of a code never changes.
type Code struct {
	ID string `json:"code"`
	// Severity is the severity of its findings. Findings about single objects may be milder.
	Severity diagnosis.Severity `json:"severity"`
	Title    string             `json:"title"`
	// Meaning describes the problem and its effect, Remedy the fix.
	Meaning string `json:"meaning"`
	Remedy  string `json:"remedy"`
}

// Codes of findings. The first two digits are the area: 01 single objects, 02 references, 03 conflicts, 04 effect of policies,
// 05 workloads, 06 namespaces, 07 control plane.
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
	codeNoIngressPort    = "OSM0215"
	codeNoGateway        = "OSM0216"
	codeNoSetting        = "OSM0217"
	codeNoExtension      = "OSM0218"
	codeNoEgressGateway  = "OSM0219"
	codeOutsideGateway   = "OSM0220"
	codeNoRouteOfLimit   = "OSM0221"
	codeIdleBackend      = "OSM0222"
	codeGatewayAPI       = "OSM0223"
	codeNoClass          = "OSM0224"
	codeUndeclaredPort   = "OSM0225"
	codeNoParent         = "OSM0226"
	codeNotGranted       = "OSM0227"
	codeNoServer         = "OSM0228"
	codeNoPrincipal      = "OSM0229"
	codeNoServiceParent  = "OSM0230"
	codeRouteBackend     = "OSM0231"
	codeConnectionRoute  = "OSM0233"
	codeNoTLSTarget      = "OSM0234"
	codeUnusableTLS      = "OSM0235"
	codeGatewayOff       = "OSM0236"
	codeTooManyServices  = "OSM0237"
	codeNoUsableBackend  = "OSM0238"
	codeNoPeer           = "OSM0239"
	codeNotExported      = "OSM0240"

	codeSplitConflict   = "OSM0301"
	codeRetryConflict   = "OSM0302"
	codeSettingConflict = "OSM0303"
	codeIngressConflict = "OSM0304"
	codeEgressConflict  = "OSM0305"
	codeLogConflict     = "OSM0306"
	codeAuthConflict    = "OSM0307"
	codeSplitReplaced   = "OSM0308"
	codeRouteConflict   = "OSM0309"
	codeTLSConflict     = "OSM0310"
	codePortConflict    = "OSM0311"

	codeRetriesOff   = "OSM0401"
	codeOutsideMesh  = "OSM0402"
	codePermissive   = "OSM0403"
	codeDeprecated   = "OSM0404"
	codeNotActedOn   = "OSM0405"
	codeRejected     = "OSM0406"
	codeIngressOff   = "OSM0407"
	codeEgressOff    = "OSM0408"
	codeNoAnswer     = "OSM0409"
	codeUnknownField = "OSM0410"
	codeSelectsNone  = "OSM0411"
	codeNestedSplit  = "OSM0412"
	codeUnresolved   = "OSM0413"

	codeMadeBefore     = "OSM0501"
	codeNotInjected    = "OSM0502"
	codeHostNetwork    = "OSM0503"
	codeOldSidecar     = "OSM0504"
	codeNobodySelected = "OSM0505"
	codeLeftOut        = "OSM0506"
	codeRemaining      = "OSM0507"
	codeUncreated      = "OSM0508"
	codeKeptSidecar    = "OSM0509"
	codeNoXDS          = "OSM0510"
	codeNoDNS          = "OSM0511"
	codeUnknownClass   = "OSM0512"

	codeNoSuchMesh  = "OSM0601"
	codeIgnored     = "OSM0602"
	codeNoMembers   = "OSM0603"
	codePodSecurity = "OSM0604"
	codeSystem      = "OSM0605"
	codeBadSwitch   = "OSM0606"
	codeNoInjection = "OSM0607"
	codeUnknownKey  = "OSM0608"
	codeNoLabel     = "OSM0609"
	codeTwoMeshes   = "OSM0610"

	codeNoTrust      = "OSM0701"
	codeRootEnded    = "OSM0702"
	codeRootEnds     = "OSM0703"
	codeNoInjector   = "OSM0704"
	codeNoValidator  = "OSM0705"
	codeNoAdmission  = "OSM0706"
	codeMeshNotReady = "OSM0707"
	codeNoMeshConfig = "OSM0708"
	codeSocketLB     = "OSM0710"
)

// Codes returns all codes, sorted.
func Codes() []Code { return append(ownCodes(), meshCodes...) }

// meshCodes are the codes of problems that concern more than one object.
var meshCodes = []Code{
	{codeNoDestination, diagnosis.Error, "The destination of a TrafficTarget does not exist", "The service account does not exist in the namespace, so the policy grants nothing.", "Correct spec.destination.name, or create the service account."},
	{codeNotBehindService, diagnosis.Warning, "No Service selects the destination of a TrafficTarget", "Sidecars can only reach pods through Services. No Service selects a pod with the service account of the destination, so the policy has no effect.", "Create a Service whose selector matches the pods, start the workload, or correct the destination."},
	{codeNoSource, diagnosis.Warning, "A source does not exist", "The service account does not exist in the namespace, so no pod can use the policy.", "Correct the name or the namespace of the source, or create the service account."},
	{codeSourceOutside, diagnosis.Warning, "A source is outside the mesh", "The namespace of the source does not belong to the mesh, so its pods have no mesh identity and are denied.", "Add the namespace with osm namespace add NAMESPACE."},
	{codeNoRoute, diagnosis.Error, "A route object does not exist", "A rule refers to an HTTPRouteGroup or a TCPRoute that does not exist in the namespace of the policy. The rule grants nothing, and a TrafficSplit with it splits nothing.", "Create the route object in the same namespace, or correct the name."},
	{codeNoMatch, diagnosis.Error, "A match does not exist", "A rule refers to a match that the HTTPRouteGroup does not have, or that is invalid. This part of the rule grants nothing.", "Add the match to the HTTPRouteGroup, or correct the name."},
	{codeUnusedRoute, diagnosis.Info, "A route object is not used", "An HTTPRouteGroup or a TCPRoute has no effect by itself.", "Refer to it from a TrafficTarget or a TrafficSplit, or delete it."},
	{codeNoRoot, diagnosis.Error, "The root of a TrafficSplit does not exist", "Clients call the root Service, so without it no traffic is split.", "Create the Service, or correct spec.service."},
	{codeNoBackend, diagnosis.Error, "A backend of a TrafficSplit does not exist", "The backend is not a Service of the namespace and gets no requests: the other backends share them. If no backend is left, requests fail.", "Create the Service, or correct the name of the backend."},
	{codeBackendPort, diagnosis.Warning, "A backend has no port of the root", "Requests keep the port of the root Service. A backend without a port of that number gets no requests.", "Add a port with the same number to the backend Service."},
	{codeNoHost, diagnosis.Error, "The Service of an UpstreamTrafficSetting does not exist", "spec.host (for a Backpressure, the label app) is not a Service of the namespace, so the settings have no effect.", "Correct spec.host: <service>.<namespace>.svc.cluster.local."},
	{codeNoRetryTarget, diagnosis.Warning, "The destination of a Retry does not exist", "Requests to the destination are not retried.", "Correct the destination: <service>.<namespace>.svc.cluster.local."},
	{codeUnknownPort, diagnosis.Warning, "A TCPRoute has a port that the destination does not have", "Ports of a TCPRoute are container ports. No Service of the destination has this target port, so the route grants nothing.", "Use the targetPort of the Service, or correct the number."},
	{codeWrongProtocol, diagnosis.Warning, "Rules do not fit the protocol of the destination", "A TrafficTarget with only HTTPRouteGroups grants only HTTP ports, and all ports of the destination are TCP.", "Add a rule with a TCPRoute, or set appProtocol: http in the port of the Service."},
	{codeNoIngressPort, diagnosis.Error, "The backend of an IngressBackend does not exist", "The backend is not a Service of the namespace, or the Service has no such targetPort. No client outside the mesh is admitted to it.", "Correct the name, and set port.number to the targetPort of the Service."},
	{codeNoGateway, diagnosis.Error, "The gateway of an IngressBackend does not exist", "A source of kind Service does not exist, so connections from its pods are rejected.", "Correct the name and the namespace of the source: it is the Service of the ingress controller."},
	{codeNoSetting, diagnosis.Warning, "The UpstreamTrafficSetting of an Egress does not exist", "An Egress names an UpstreamTrafficSetting that does not exist in its namespace, so its connections have no limits.", "Create the UpstreamTrafficSetting, or correct the name in spec.matches."},
	{codeNoExtension, diagnosis.Warning, "An ExtensionService cannot be used", "A policy refers to an ExtensionService that does not exist, is invalid, or is in another namespace than the policy and the mesh.", "Create the ExtensionService in the namespace of the policy or of the mesh, or correct the reference."},
	{codeNoEgressGateway, diagnosis.Error, "The mesh has no egress gateway", "An Egress sends its traffic through the egress gateway, but the Mesh does not enable it. Requests fail with status 503; none leaves the mesh without the gateway.", "Set spec.egressGateway.mode of the Mesh to Managed, or remove spec.gateway from the Egress and the annotation openservicemesh.io/egress-gateway from its namespace."},
	{codeOutsideGateway, diagnosis.Warning, "The egress gateway cannot forward a part of an Egress", "The namespace requires the egress gateway, which looks up hosts and forwards http and https. The Egress has other protocols, ipAddresses or local hosts, which are left out.", "Use http or https with hosts, or remove the annotation openservicemesh.io/egress-gateway from the namespace."},
	{codeNoRouteOfLimit, diagnosis.Error, "A limit for a path that no HTTPRouteGroup has", "A limit of an UpstreamTrafficSetting applies to the requests of matches with exactly this pathRegex. No HTTPRouteGroup of the namespace has one, so nothing is limited.", "Write the pathRegex of an existing match, or .* for all requests."},
	{codeIdleBackend, diagnosis.Error, "A backend of a TrafficSplit has no ready pod", "The backend gets its share of the requests, and they get status 503.", "Start the workload of the backend, or give the backend the weight 0."},
	{codeGatewayAPI, diagnosis.Error, "A Gateway or a route of the Gateway API is not in force", "A condition of the object is False. The message names what is missing.", "Follow the message."},
	{codeNoClass, diagnosis.Warning, "The GatewayClass of a Gateway does not exist", "No controller serves the Gateway. The class of the ingress gateway has the name of the mesh.", "Correct spec.gatewayClassName."},
	{codeUndeclaredPort, diagnosis.Warning, "No container declares a targetPort", "The pods of a Service declare ports, and not the targetPort of the Service. If the application does not listen on it, requests get status 503. A named targetPort that no container declares has no number, so the port has no endpoints.", "Correct the targetPort of the Service, or add the port to the container."},
	{codeNoParent, diagnosis.Warning, "The Gateway of an HTTPRoute does not exist", "The HTTPRoute is attached to no Gateway, so no request uses it, and no controller writes its status.", "Create the Gateway, or correct spec.parentRefs."},
	{codeNotGranted, diagnosis.Warning, "No policy lets the ingress gateway call a Service", "An HTTPRoute leads to a Service, and no TrafficTarget has the service account of the ingress gateway as a source for it. Clients get status 403.", "Create a TrafficTarget with the source osm-ingress-gateway in the namespace of the mesh."},
	{codeNoServer, diagnosis.Warning, "The address of a server is a Service that does not exist", "Sidecars send traces, logs, or requests for decisions to a Service of the cluster that does not exist.", "Correct the address: <service>.<namespace>.svc.cluster.local, or create the Service."},
	{codeNoPrincipal, diagnosis.Warning, "A principal is not in the trust domain of the mesh", "An IngressBackend admits a client certificate with the name of a service account in another trust domain, which the certificate authority of the mesh does not issue.", "Correct the name: <service account>.<namespace>.<trust domain>."},
	{codeNoServiceParent, diagnosis.Error, "A route does not apply to the Service that it names", "A parent of a route is a Service that is not in the mesh, or that has no such port with a protocol of the route: HTTP for HTTPRoutes and GRPCRoutes, TLS of the application for TLSRoutes, anything but HTTP for TCPRoutes. Requests and connections to it are not routed.", "Correct spec.parentRefs, or appProtocol of the port."},
	{codeRouteBackend, diagnosis.Error, "A backend of a route for a Service cannot be used", "A backendRef of a route is not a port of a Service in the mesh, or no ReferenceGrant permits it. Its share of the requests gets status 500, and its share of the connections of a TLSRoute or TCPRoute is closed.", "Correct spec.rules[].backendRefs of the route, or create the Service or the ReferenceGrant that it needs."},
	{codeConnectionRoute, diagnosis.Error, "A Gateway has no listener for a TLSRoute or TCPRoute", "TLSRoutes need a listener with the protocol TLS, and TCPRoutes one with TCP. SMI's TCPRoute is another kind, and has no parents.", "Add a listener, make a Service the parent, or write an HTTPRoute."},
	{codeNoTLSTarget, diagnosis.Error, "The target of a BackendTLSPolicy does not exist", "A BackendTLSPolicy encrypts the requests of Egresses, and connections to ExtensionServices and to Services that are servers of the mesh, of its own namespace. This one has no effect on a target that does not exist or is invalid.", "Create the target, or correct spec.targetRefs."},
	{codeUnusableTLS, diagnosis.Error, "A BackendTLSPolicy cannot be used", "Sidecars cannot encrypt the requests of an Egress, or connections to a server, as the policy demands. Requests then get status 503, or go through the egress gateway with its own settings; sidecars do not connect to the server. Nothing is sent in plaintext.", "Follow the message."},
	{codeGatewayOff, diagnosis.Error, "A Gateway of the mesh without an ingress gateway", "The Gateway has the class of the mesh, but the mesh runs no ingress gateway, so nothing listens and no condition is written.", "Set spec.ingressGateway.mode of the Mesh to Managed, or delete the Gateway."},
	{codeTooManyServices, diagnosis.Error, "A client does not receive all Services of a TrafficTarget", "The TrafficTargets of a namespace offer a client more Services, backends or endpoints than its sidecar accepts from one namespace. It has the first Services by name.", "Grant access to fewer service accounts, or delete Services or ports."},
	{codeNoUsableBackend, diagnosis.Error, "A TrafficSplit without a usable backend", "No backend of the TrafficSplit exists, has a port of the root Service, and has a weight above 0, so all requests that it selects fail.", "Correct a backend with a weight above 0, or delete the TrafficSplit."},
	{codeNoPeer, diagnosis.Warning, "The peer of a source does not exist", "A TrafficTarget has accounts of a peer among its sources whose MeshPeer does not exist, or is not accepted. Nothing is granted to them.", "Apply the output of `osm peer show` of the other mesh, correct the name, or see the status of the MeshPeer."},
	{codeNotExported, diagnosis.Warning, "A Service is not exported to the peer of a source", "A TrafficTarget has accounts of a peer among its sources, and no Service of its destination has a ServiceExport for the peer, so it cannot call them.", "Apply the output of `osm peer export`."},

	{codeSplitConflict, diagnosis.Error, "TrafficSplits conflict", "Two TrafficSplits split the same requests to a Service. The older one takes precedence, and the other has no effect.", "Delete one of them, or use different matches."},
	{codeRetryConflict, diagnosis.Warning, "Retries conflict", "Two Retries configure requests of the same client to the same Service. The older one takes precedence.", "Remove the destination from one of them."},
	{codeSettingConflict, diagnosis.Warning, "UpstreamTrafficSettings conflict", "Two objects configure the traffic to the same Service. The older UpstreamTrafficSetting takes precedence. A Backpressure only applies without an UpstreamTrafficSetting.", "Merge them into one object."},
	{codeIngressConflict, diagnosis.Warning, "IngressBackends conflict", "Two IngressBackends open the same port of a Service. The older one takes precedence.", "Merge them into one object."},
	{codeEgressConflict, diagnosis.Warning, "Egresses exclude each other", "Two Egresses of the same client have a port with http or https and with tcp-server-first. Sidecars cannot wait for both sides to speak first. The older one takes precedence. Or both name a host, and one sends its requests through the egress gateway, which decides alone, or has a BackendTLSPolicy that prevents the requests of the other.", "Follow the message: use one of the protocols, or one Egress for the host."},
	{codeLogConflict, diagnosis.Warning, "Telemetries conflict", "Two Telemetries of a namespace have the same selector. The older one takes precedence, and the other has no effect.", "Merge them into one."},
	{codeAuthConflict, diagnosis.Warning, "ExternalAuthorizations conflict", "Two ExternalAuthorizations of a namespace have the same selector. The older one takes precedence, and the other has no effect.", "Merge them into one."},
	{codeSplitReplaced, diagnosis.Error, "A route replaces a TrafficSplit", "A route of the Gateway API in the namespace of a Service has precedence over the TrafficSplits of the Service, whatever their age.", "Delete one of them, or limit the route to other ports of the Service."},
	{codeRouteConflict, diagnosis.Error, "Another route has the connections of a TLSRoute or TCPRoute", "One TCPRoute of a namespace applies to a port: the oldest. TLSRoutes have precedence over TCPRoutes, and of equal hostnames, that of the older TLSRoute applies. The route has no effect on any port of its parent.", "Delete one of the routes, or limit it to other ports or hostnames."},
	{codeTLSConflict, diagnosis.Error, "BackendTLSPolicies conflict", "Two BackendTLSPolicies have the same target. The older one applies, and the other has no effect.", "Delete one of them."},
	{codePortConflict, diagnosis.Warning, "Two protocols for one container port", "Ports of the same or of two Services lead to one container port and have different protocols. Sidecars of servers use one for both: a declared HTTP, otherwise a declared TCP protocol. A protocol counts as declared if the port has an appProtocol, or a name that implies one.", "Set the same appProtocol for both ports."},

	{codeRetriesOff, diagnosis.Warning, "Retry policies are disabled", "A Retry only has an effect if the MeshConfig enables retry policies.", "Set spec.featureFlags.enableRetryPolicy to true in the MeshConfig."},
	{codeOutsideMesh, diagnosis.Warning, "A policy is in a namespace outside the mesh", "Pods in this namespace have no sidecar of the mesh, so the policy has no effect.", "Add the namespace with osm namespace add NAMESPACE, or move the policy."},
	{codePermissive, diagnosis.Info, "TrafficTargets have no effect in permissive mode", "In permissive mode all traffic inside the mesh is allowed, independent of TrafficTargets.", "When the policies are complete, disable permissive mode for the mesh (MeshConfig, spec.traffic.enablePermissiveTrafficPolicyMode) or the namespace. `osm plan` shows which traffic would be denied."},
	{codeDeprecated, diagnosis.Warning, "A deprecated kind or version", "The object uses a deprecated kind or API version.", "Use the version in the message."},
	{codeNotActedOn, diagnosis.Warning, "Unsupported kind", "This version does not support this kind of Open Service Mesh, so the object has no effect.", "Delete the object. docs/compatibility.md lists what this version does not have. `osm translate --to peers` prints what replaces a MultiClusterService."},
	{codeRejected, diagnosis.Error, "Sidecars reject a policy", "A sidecar rejected the configuration of the policy. The policy is quarantined until it changes.", "Fix the error in the condition Accepted of the object."},
	{codeIngressOff, diagnosis.Warning, "IngressBackend policies are disabled", "An IngressBackend only has an effect if the MeshConfig enables these policies.", "Set spec.featureFlags.enableIngressBackendPolicy to true in the MeshConfig."},
	{codeEgressOff, diagnosis.Warning, "Egress policies are disabled", "An Egress only has an effect if the MeshConfig enables these policies.", "Set spec.featureFlags.enableEgressPolicy to true in the MeshConfig."},
	{codeNoAnswer, diagnosis.Warning, "A server does not answer sidecars", "Sidecars get no answer from the server that decides about requests: an external authorizer, or a rate limit service. Requests are then rejected or allowed, as the policy defines.", "Check that the server runs and that its address is correct. The condition ServiceAnswers of the object has the details."},
	{codeUnknownField, diagnosis.Error, "A field does not exist", "The kind has no such field. kubectl rejects the object, and the API server drops the field from stored objects. Only files can have such fields.", "Correct the name of the field, or remove it."},
	{codeSelectsNone, diagnosis.Warning, "The selector of a policy selects no pod", "The labels in spec.selector are those of no pod, so the policy has no effect.", "Correct spec.selector, or start the workload."},
	{codeNestedSplit, diagnosis.Warning, "A TrafficSplit of a backend is not followed", "A backend of a TrafficSplit is the root of another one. Requests of the first go to the pods of the backend, and the other one does not apply to them.", "Name the backends of the other TrafficSplit in the first one."},
	{codeUnresolved, diagnosis.Warning, "A host of an Egress has no address", "Sidecars cannot look up the host, so requests to it get status 503.", "Correct the host, or the DNS of the cluster."},

	{codeMadeBefore, diagnosis.Warning, "Pods were created before sidecar injection was enabled", "The pods have no sidecar although injection is enabled. They were created before, or while the injector was not available. No policies apply to them, and they cannot call workloads in the mesh.", "Restart the workload with kubectl rollout restart."},
	{codeNotInjected, diagnosis.Info, "Injection is disabled", "Pods in a namespace of the mesh have no sidecar because an annotation disables injection, or no annotation enables it.", "If this is not intended, set the annotation openservicemesh.io/sidecar-injection to enabled on the namespace or the pod template, and restart the workload."},
	{codeHostNetwork, diagnosis.Warning, "Pods use the host network", "Traffic of these pods cannot be distinguished from traffic of the node. They get no sidecar, and workloads in the mesh reject their connections.", "Run the workload without hostNetwork, or in a namespace outside the mesh."},
	{codeOldSidecar, diagnosis.Warning, "Sidecars have another version than the control plane", "The sidecars keep working, without the features of newer versions.", "Restart the workload with kubectl rollout restart."},
	{codeNobodySelected, diagnosis.Info, "A Service selects no pod", "Requests to the Service fail until its selector matches a pod.", "Correct the selector, or start the workload."},
	{codeLeftOut, diagnosis.Warning, "Handwritten endpoints of a Service get no traffic", "An address in an EndpointSlice of a Service without a selector gets traffic only if exactly one running pod has it, and this pod is of the namespace of the Service and has a sidecar. A targetRef must name this pod. An endpoint of a Service with a selector must name a pod that the selector matches. Nothing can prove who answers at other addresses.", "Correct the EndpointSlice. For servers outside the mesh, write an Egress instead of the Service."},
	{codeRemaining, diagnosis.Warning, "Sidecars remained after their namespace left the mesh", "The namespace left the mesh, moved to another one, or its mesh was removed. The sidecars still intercept the traffic of their pods, without updates of their configuration and certificate, so ever more calls fail.", "Restart the workload with kubectl rollout restart, or add the namespace to the mesh again with osm namespace add NAMESPACE."},
	{codeUncreated, diagnosis.Error, "Pods cannot be created", "The API server, a quota or an admission webhook rejects the pods of a workload. The message is in the status of its ReplicaSet or in Events, and is repeated here.", "Follow the message. docs/help/pod-does-not-start.md has a table of messages. To fit a quota, add a LimitRange with defaults to the namespace, or set spec.sidecar.resources of the Mesh."},
	{codeKeptSidecar, diagnosis.Info, "Pods keep a sidecar although injection is disabled", "An annotation disables injection, or none enables it, and the pods are older. Policies apply to them until they are restarted. After that no policy protects them.", "Restart the workload if it is intended. Otherwise set the annotation openservicemesh.io/sidecar-injection to enabled."},
	{codeNoXDS, diagnosis.Error, "NetworkPolicies keep sidecars from the control plane", "The policies that select the pods together isolate them for egress, and none allows the port for xDS of the control plane. New pods do not become ready. Sidecars that are connected keep what they have, and get no changes and certificates once the connection ends.", "Add the NetworkPolicy mesh-control-plane of docs/network-policies.md to the namespace."},
	{codeNoDNS, diagnosis.Error, "NetworkPolicies keep sidecars from DNS", "The policies that select the pods together isolate them for egress, and none allows DNS. Sidecars look up the control plane there, so new pods do not become ready. Applications do not find Services. A port without a protocol is one of TCP, but DNS needs UDP too.", "Add the NetworkPolicy dns of docs/network-policies.md to the namespace."},
	{codeUnknownClass, diagnosis.Warning, "An annotation names no class of sidecars", "The mesh has no class of that name, or permits it for other namespaces. The pods have the sidecar of pods without a class.", "Name a class of spec.sidecar.classes of the Mesh that the namespace may have, or have the platform team add one. Then restart the workload."},

	{codeNoSuchMesh, diagnosis.Error, "A namespace belongs to a mesh that does not exist", "The mesh in the label openservicemesh.io/monitored-by does not exist in this cluster: no sidecars are injected, and policies have no effect.", "Remove the label, or correct it with osm namespace add NAMESPACE --mesh-name MESH."},
	{codeIgnored, diagnosis.Warning, "A namespace is added to the mesh and ignored", "The label openservicemesh.io/ignore takes precedence: the namespace is not part of the mesh.", "Remove one of the labels."},
	{
		codeNoMembers, diagnosis.Info, "The mesh has no namespaces", "No namespace has the label of the mesh.",
		"Add a namespace with osm namespace add NAMESPACE.",
	},
	{codePodSecurity, diagnosis.Error, "Pod security forbids sidecars", "The namespace enforces a pod security level that forbids the capability NET_ADMIN of the init container: pods with sidecars do not start.", "Run kubectl label namespace NAMESPACE pod-security.kubernetes.io/enforce=privileged --overwrite"},
	{codeSystem, diagnosis.Warning, "A namespace of Kubernetes is added to the mesh", "The injector never injects sidecars into kube-system, kube-public and kube-node-lease, because the cluster's DNS and network must not depend on them. Clients of the mesh expect a sidecar in front of its Services, so their calls fail.", "Run osm namespace remove NAMESPACE"},
	{codeBadSwitch, diagnosis.Error, "Invalid value of the injection annotation", "The injector rejects pods of the namespace, because it does not know whether to inject a sidecar. No pod can start.", "Write enabled or disabled in the annotation openservicemesh.io/sidecar-injection."},
	{codeNoInjection, diagnosis.Warning, "A namespace of the mesh without injection", "The namespace has the label of the mesh, but no annotation for injection, so its pods have no sidecar: no policy protects them.", "Run osm namespace add NAMESPACE, and restart the pods. If it is intended, suppress the finding."},
	{codeUnknownKey, diagnosis.Warning, "An unknown annotation or label", "The key begins with openservicemesh.io/, but the mesh has none of this name, so it has no effect.", "Correct the key, or remove it."},
	{codeNoLabel, diagnosis.Warning, "A namespace with injection and without a mesh", "The annotation openservicemesh.io/sidecar-injection has no effect without the label openservicemesh.io/monitored-by, so pods get no sidecar.", "Run osm namespace add NAMESPACE, and restart the pods, or remove the annotation."},
	{codeTwoMeshes, diagnosis.Error, "A namespace with the injection of another service mesh", "The injectors of both meshes add their sidecars, and both redirect all traffic of a pod, so its calls fail.", "Remove the label or the annotation of the other mesh."},

	{codeNoTrust, diagnosis.Error, "The root certificate is missing in a namespace", "New pods in the namespace do not start, because their sidecars cannot verify the control plane.", "The operator creates the ConfigMap within seconds. If it does not, run `osm check` and see the operator's log."},
	{
		codeRootEnded, diagnosis.Error, "The root certificate has expired", "Sidecars no longer trust each other or the control plane.",
		"Renew the root of the mesh.",
	},
	{codeRootEnds, diagnosis.Warning, "The root certificate expires soon", "When it expires, sidecars no longer trust each other or the control plane.", "Renew the root of the mesh in time."},
	{codeNoInjector, diagnosis.Error, "The injector's webhook is missing", "New pods get no sidecar.", "The operator recreates it. If it does not, run `osm check` and see the operator's log."},
	{codeNoValidator, diagnosis.Warning, "The validator's webhook is missing", "The cluster accepts invalid policies, and only their status reports the problem.", "The operator recreates it. If it does not, see the operator's log."},
	{codeNoAdmission, diagnosis.Warning, "An admission policy is missing", "The cluster accepts TrafficTargets for workloads in other namespaces. The mesh ignores them.", "The operator recreates it. If it does not, see the operator's log."},
	{codeMeshNotReady, diagnosis.Error, "The mesh is not ready", "The operator could not reconcile the mesh.", "See the reason in the message, and run `osm check` for details."},
	{codeNoMeshConfig, diagnosis.Error, "The MeshConfig is missing", "Without a MeshConfig all optional features are disabled, and traffic is denied unless a policy allows it.", "The operator creates it for a Mesh. Without a Mesh, apply a MeshConfig named osm-mesh-config in the namespace of the mesh."},
	{codeSocketLB, diagnosis.Error, "The network replaces addresses of Services", "The network of the cluster replaces the address of a Service by that of a pod when an application connects, before the redirection. Sidecars then see no Service, and pods with sidecars do not start: osm-init says so.", "Change the setting in the message. docs/platforms.md has a section about Cilium and Calico."},
}

// ownReasons lists the reasons of problems with single objects, in the order of their codes from OSM0101. Append new reasons at the end
// to keep the codes stable.
var ownReasons = []struct{ reason, title, meaning, remedy string }{
	{ingest.ReasonMalformed, "A field has the wrong type", "The object is ignored.", "Correct the field in the message."},
	{ingest.ReasonUnsupported, "Unsupported feature", "The object requests an unsupported feature. The message describes the effective behavior.", "Follow the message."},
	{
		ingest.ReasonForeignNamespace, "An object refers to another namespace", "An object may only refer to workloads in its own namespace.",
		"Move the object to that namespace.",
	},
	{ingest.ReasonInvalidName, "Invalid name", "The part of the object with this name is ignored.", "Correct the name."},
	{ingest.ReasonInvalidRegex, "Invalid regular expression", "The expression is not valid RE2, too long or too large. The match is ignored.", "Use a shorter expression in RE2 syntax."},
	{ingest.ReasonInvalidHeader, "Invalid header", "The header is left out, or the match is ignored.", "Follow the message."},
	{ingest.ReasonInvalidMethod, "Invalid HTTP method", "The match is ignored.", "Use a method such as GET, or * for any method."},
	{ingest.ReasonDuplicateMatch, "Duplicate match name", "Two matches of a group have the same name. The first one is used.", "Use a unique name for each match."},
	{ingest.ReasonInvalidPort, "Port out of range", "The port is ignored.", "Use a number from 1 to 65535."},
	{ingest.ReasonInvalidWeight, "Invalid weight", "A weight is missing, negative or too large, or all weights are 0.", "Follow the message."},
	{ingest.ReasonInvalidDuration, "Invalid duration", "The default is used instead.", "Use a number with a unit, such as 5s."},
	{ingest.ReasonInvalidTLS, "Contradictory TLS versions", "The minimum TLS version is higher than the maximum. The defaults are used instead.", "Follow the message."},
	{ingest.ReasonGrantsNothing, "A policy that grants nothing", "The policy has no rules, no sources or no matches, so it grants nothing.", "Complete it, or delete it."},
	{ingest.ReasonUnknownProtocol, "Unknown protocol of a port", "Sidecars do not support the protocol of the port. The message describes the effective protocol.", "Set appProtocol to a supported protocol, or to tcp."},
	{ingest.ReasonNotCaptured, "Traffic that sidecars do not intercept", "The traffic, such as UDP, bypasses the mesh.", "None, if this is intended."},
	{ingest.ReasonRejectedAddress, "Invalid endpoint address", "The address cannot belong to a pod, so it gets no traffic.", "Correct the EndpointSlice."},
	{ingest.ReasonInvalidNumber, "Number out of range", "The part of the object with this number is ignored.", "Follow the message."},
	{ingest.ReasonInvalidCondition, "Invalid retry condition", "Sidecars do not support the condition, or it has no effect by itself.", "Follow the message."},
	{ingest.ReasonInvalidAnnotation, "Invalid annotation value", "The annotation is ignored.", "Use a value from the message."},
	{ingest.ReasonNotUsed, "Unused object", "The object, or a part of it, has no effect in this version.", "Follow the message."},
	{ingest.ReasonInvalidFormat, "Invalid format of log lines", "Sidecars do not support a command operator of the format, or the mesh does not allow it. The log has the default format.", "Follow the message."},
	{ingest.ReasonInvalidExpression, "Invalid CEL expression", "Sidecars cannot evaluate the expression. Everything is logged.", "Follow the message."},
}

// ownCodes returns the codes of problems with single objects.
func ownCodes() []Code {
	all := []Code{{codeOther, diagnosis.Error, "Other problem of an object", "The message describes the problem and its effect.", "Follow the message."}}
	for i, r := range ownReasons {
		all = append(all, Code{ID: ownCode(i), Severity: diagnosis.Error, Title: r.title, Meaning: r.meaning, Remedy: r.remedy})
	}
	return all
}

// ownPrefix is the prefix of codes for problems with single objects.
const ownPrefix = "OSM01"

func ownCode(i int) string {
	return fmt.Sprintf("%s%02d", ownPrefix, i+1)
}

// CodeOf returns the code for the condition reason of a problem with a single object.
func CodeOf(reason string) string {
	i := slices.IndexFunc(ownReasons, func(r struct{ reason, title, meaning, remedy string }) bool { return r.reason == reason })
	if i < 0 {
		return codeOther
	}
	return ownCode(i)
}

// own reports problems with single objects.
func (a *analysis) own() {
	for _, object := range a.mesh.Objects {
		for _, problem := range validate.Object(object) {
			a.reportProblem(subjectOf(object), problem)
		}
	}
	for _, f := range a.mesh.Loaded.Findings {
		a.reportProblem(a.subject(f.Kind, f.Name), f.Problem)
	}
}

func (a *analysis) reportProblem(s subject, p ingest.Problem) {
	if p.Reason == ingest.ReasonNotUsed && a.isUsedByEgress(entity.Kind(s.kind), entity.Name{Namespace: s.namespace, Name: s.name}) {
		return // it is about a host outside the mesh
	}
	message := p.StatusMessage()
	if a.mesh.Partial {
		message = p.Message // the object is in a file
	}
	a.report(CodeOf(p.Reason), diagnosis.OfProblem(p).Severity, s, message)
}

// Page returns the documentation page of all codes, in Markdown.
func Page() string {
	var page strings.Builder
	fmt.Fprintf(&page, `# Findings of `+"`osm analyze`"+`

`+"`osm analyze`"+` finds problems of a mesh and its policies in a cluster or, with `+"`-f`"+`, in files. Each finding is one line with severity,
code, object and message:

    Error [OSM0205] (TrafficTarget shop/web) HTTPRouteGroup paths does not exist, so the rule that refers to it grants nothing: ...

**Error** means that something does not work or is ignored. **Warning** means that it works, but perhaps not as intended. **Info** means that
it may be intended. The meaning of a code never changes. The exit code is 1 if there is a finding with severity Error.

To suppress findings for an object, list their codes in its annotation `+"`%s`"+`, separated by commas; `+"`*`"+` suppresses all
findings. For findings about pods, set the annotation in the pod template of the workload.

| Code | Severity | Title |
|---|---|---|
`, names.AnalyzeIgnoreAnnotation)
	all := Codes()
	for _, code := range all {
		fmt.Fprintf(&page, "| [%s](#%s) | %s | %s |\n", code.ID, strings.ToLower(code.ID), code.Severity, code.Title)
	}
	for _, code := range all {
		fmt.Fprintf(&page, "\n## %s\n\n**%s** (%s). %s\n\n%s\n", code.ID, code.Title, code.Severity, code.Meaning, code.Remedy)
	}
	return page.String()
}
