package reasons

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Reason is a reason and its description.
type Reason struct {
	Code string `json:"code"`
	// On is the kind of the object with this reason.
	On          string `json:"on"`
	Description string `json:"description"`
}

const (
	policies = "policies"
	meshes   = "Mesh"
	roots    = "MeshRootCertificate"
)

// All returns all reasons, sorted by code.
func All() []Reason {
	all := slices.Concat(ofPolicies(), ofMeshes(), ofEvents(), ofPeers())
	slices.SortFunc(all, func(a, b Reason) int { return cmp.Compare(a.Code, b.Code) })
	return all
}

func ofPolicies() []Reason {
	return []Reason{
		{kinds.ReasonRejectedByProxy, policies, "A sidecar rejected the configuration that results from the policy, so the policy is quarantined: the message has the error of Envoy. Correct the policy; it returns when its object changes."},
		{ingest.ReasonMalformed, policies, "A field has the wrong type, so the object is ignored: fix the field in the message."},
		{ingest.ReasonUnsupported, policies, "The object requests a feature that this version does not support: the message describes the effective behavior."},
		{ingest.ReasonForeignNamespace, policies, "The object refers to another namespace than its own: move it to that namespace."},
		{ingest.ReasonInvalidName, policies, "A name is not a valid Kubernetes name."},
		{ingest.ReasonInvalidRegex, policies, "A regular expression is not valid RE2 or too long: the match is ignored."},
		{ingest.ReasonInvalidHeader, policies, "A header cannot be matched, added or copied: it is left out, or the match is ignored."},
		{ingest.ReasonInvalidMethod, policies, "A method is not a valid HTTP method: the match is ignored."},
		{ingest.ReasonDuplicateMatch, policies, "Two matches of a group have the same name: the first one is used."},
		{ingest.ReasonInvalidPort, policies, "A port is not between 1 and 65535."},
		{ingest.ReasonInvalidWeight, policies, "A weight is missing, negative or too large."},
		{ingest.ReasonInvalidDuration, policies, "A duration is invalid: use a number with a unit, such as 10s."},
		{ingest.ReasonInvalidTLS, policies, "The minimum TLS version is higher than the maximum."},
		{ingest.ReasonGrantsNothing, policies, "A policy has no rules or no sources, so it grants nothing."},
		{ingest.ReasonUnknownProtocol, policies, "A port of a Service has an unsupported appProtocol, so it is not part of the mesh: use http, grpc, tcp, tcp-server-first or https."},
		{ingest.ReasonNotCaptured, policies, "Sidecars do not intercept this traffic, such as UDP."},
		{ingest.ReasonInvalidNumber, policies, "A number is out of range: the message contains the value in use."},
		{ingest.ReasonInvalidCondition, policies, "A condition in retryOn is not supported by sidecars, or has no effect by itself."},
		{ingest.ReasonInvalidAnnotation, policies + ", " + imports, "The value of an annotation is invalid, so the annotation is ignored. A ServiceImport is not used then."},
		{ingest.ReasonNotUsed, policies, "An object, or a part of it, is not used by this version."},
		{ingest.ReasonRejectedAddress, policies, "The address of an endpoint cannot belong to a pod: the endpoint is ignored."},
		{ingest.ReasonInvalidFormat, policies, "A format of log lines has a command operator that sidecars do not support or that the mesh does not allow: the default format is used."},
		{ingest.ReasonInvalidExpression, policies, "A CEL expression cannot be evaluated by sidecars: everything is logged."},
		{finding.ReasonRefNotFound, policies, "An object that a policy refers to does not exist, so this part of the policy grants nothing: create the object, or correct the name."},
		{finding.ReasonDisabled, policies, "The MeshConfig disables objects of this kind: the message contains the field."},
		{kinds.ReasonServiceNotAnswering, policies, "Sidecars get no answer from an authorization server or a rate limit service: the message has their number, the time since when, and what happens to requests meanwhile."},
		{finding.ReasonNotFollowed, policies, "A backend of a TrafficSplit is the root of another split, which is ignored for this backend."},
		{finding.ReasonTooManyServices, policies, "The policy exceeds the number of Services that one namespace adds to sidecars of another: the message names the bound."},
		{kinds.ReasonTooManyRoutes, policies, "The policies of the namespace have more routes than a sidecar or a gateway can have, so a part of the object is not in force: the message names the place and the remedy."},
		{string(gateway.ReasonTooManyReferences), policies, "The HTTPRoutes of the namespace have more backendRefs than the ingress gateway resolves, so the route has no effect: use fewer backends."},
		{string(gateway.ReasonNamespaceNotAllowed), policies, "The Mesh does not permit Gateways in this namespace: add it to spec.ingressGateway.allowedNamespaces, or use another namespace."},
		{string(gateway.ReasonTooManyGateways), policies, "The namespace or the mesh has more Gateways than can have pods of their own, and the oldest have them: use fewer Gateways with more listeners."},
		{string(gateway.ReasonObjectRejected), policies, "The API server rejects an object of a Gateway with pods of its own: correct the label or annotation that the message names in spec.infrastructure, or ask who manages the mesh."},
		{string(gateway.ReasonTooManyListeners), policies, "The Gateways of the namespace have more listeners than the ingress gateway serves for one namespace: use wildcards, or fewer hosts."},
		{string(gateway.ReasonTooManyCertificates), policies, "The Gateways of the namespace refer to more Secrets than the control plane reads for one namespace: use wildcard certificates, or fewer of them."},
		{string(gateway.ReasonTooManyAuthorities), policies, "The Gateways of the namespace refer to more ConfigMaps with authorities than the control plane reads for one namespace, or a listener to more certificates than it can have: use fewer authorities."},
		{string(gatewayv1.ListenerReasonNoValidCACertificate), policies, "A Gateway demands certificates of clients, and none of its references to authorities can be used, so its listener is not served: see the condition ResolvedRefs of the listener."},
		{string(gatewayv1.ListenerReasonInvalidCACertificateRef), policies, "A ConfigMap with authorities of clients does not exist, cannot be read, or has no usable key ca.crt: the message says which, and the remedy."},
		{string(gatewayv1.ListenerReasonInvalidCACertificateKind), policies, "A reference to authorities of clients names another kind than ConfigMap: refer to a ConfigMap with the key ca.crt."},
		{finding.ReasonNoUsableBackend, policies, "No backend of a TrafficSplit with a weight exists and has a port of the root, so the requests that it selects fail: correct a backend, or delete the split."},
		{kinds.ReasonHostNotResolved, policies, "A host outside the mesh has no address in DNS, or the control plane cannot look it up: correct the name, or check the DNS servers."},
		{finding.ReasonConflicted, policies, "Another object configures the same thing and takes precedence, an older one or, for a TrafficSplit, a route of the Gateway API: delete one of the two."},
		{string(gatewayv1.RouteReasonNoMatchingParent), policies, "A route does not apply to one of its parents: the Service is not in the mesh or has no such port with HTTP, or the Gateway has no such listener. Correct spec.parentRefs."},
		{string(gatewayv1.RouteReasonUnsupportedValue), policies, "The mesh does not support a value of a route or listener: the message names it and what happens to requests."},
		{string(gatewayv1.RouteReasonBackendNotFound), policies, "A backend of a route is not a port of a Service in the mesh, so its share of the requests gets status 500: correct the backendRef."},
		{string(gatewayv1.RouteReasonRefNotPermitted), policies, "A route or Gateway refers to an object of another namespace without a ReferenceGrant there: create one, or use an object of its own namespace."},
		{string(gatewayv1.RouteReasonInvalidKind), policies, "A backend of a route is not a Service, so its share of the requests gets status 500: refer to a Service."},
	}
}

func ofMeshes() []Reason {
	return []Reason{
		{v1alpha1.ReasonProgressing, meshes, "The operator is applying the spec."},
		{v1alpha1.ReasonWaitingForReplicas, meshes, "All objects are applied, and some control plane pods are not ready yet."},
		{v1alpha1.ReasonWaitingForSidecars, meshes, "The Mesh is being deleted, and pods still have its sidecar: restart or delete them."},
		{v1alpha1.ReasonRemovingSidecars, meshes, "The Mesh is being deleted, and the operator restarts workloads without sidecars: see status.removal for the progress."},
		{v1alpha1.ReasonIssued, meshes, "cert-manager or Vault has issued the certificate authority of the mesh."},
		{v1alpha1.ReasonNoApproverPolicy, meshes, "The mesh uses a ClusterIssuer, and no CertificateRequestPolicy selects it: use an Issuer in the namespace of the mesh, or install approver-policy with a policy for the issuer."},
		{v1alpha1.ReasonNotIssued, meshes, "cert-manager or Vault has not issued the certificate authority, or a certificate of a workload, or it cannot be used: see the message. With cert-manager, see also the status of the Certificate and its issuer."},
		{v1alpha1.ReasonInvalidRoot, roots, "The root cannot be used: the message contains the reason. The mesh keeps its certificate authority."},
		{v1alpha1.ReasonRoleInEffect, roots, "The root has its role in the whole mesh."},
		{v1alpha1.ReasonRoleNotInEffect, roots, "The mesh is moving towards the role of the root: see the condition RotatingAuthority of the Mesh."},
		{v1alpha1.ReasonAuthorityRejected, meshes, "The mesh keeps its certificate authority, because the named sidecars and webhooks could not use certificates of the new one: use an authority that may issue for them."},
		{v1alpha1.ReasonDistributing, meshes, "The mesh starts to trust a new certificate authority; the old one still issues certificates."},
		{v1alpha1.ReasonWaitingForTrust, meshes, "The new certificate authority is used once all pods, sidecars and namespaces trust it: the message names those that do not."},
		{v1alpha1.ReasonSwitching, meshes, "The new certificate authority issues certificates from now on."},
		{v1alpha1.ReasonWaitingForRenewal, meshes, "The old certificate authority stays trusted until all sidecars have a certificate of the new one: the message names those that have not."},
		{v1alpha1.ReasonWithdrawing, meshes, "The old certificate authority is not trusted any more."},
		{v1alpha1.ReasonPlanned, meshes, "spec.mode is Plan: see status.plan for the changes, which are not applied."},
		{v1alpha1.ReasonPlanFailed, meshes, "The plan could not be computed: the message contains the error."},
		{v1alpha1.ReasonInstalling, meshes, "The first version of the mesh is being installed."},
		{v1alpha1.ReasonCanaryBlocked, meshes, "A canary cannot start or continue, because no namespace is selected, or a name would be too long: change spec.upgrade.strategy. No gate has failed."},
		{v1alpha1.ReasonUpgrading, meshes, "An upgrade is in progress: see status.upgrade for the progress."},
		{v1alpha1.ReasonRollingBack, meshes, "A gate failed, and the mesh is rolled back to the last good version."},
		{v1alpha1.ReasonRolledBack, meshes, "The mesh was rolled back to the last good version, because the desired version failed a gate: change the spec to retry."},
		{v1alpha1.ReasonUpgradeHalted, meshes, "A gate failed, and there is no automatic rollback: change spec.version, or fix the problem in the message."},
		{v1alpha1.ReasonPaused, meshes, "spec.paused is true, so the operator changes nothing: remove it to resume."},
		{v1alpha1.ReasonStandby, meshes, "The MeshRevision has no pods: another revision is active."},
		{v1alpha1.ReasonDeleting, meshes, "The Mesh is being deleted."},
		{v1alpha1.ReasonInvalidSpec, meshes, "The spec is inconsistent: the message contains the fix."},
		{v1alpha1.ReasonUnknownVersion, meshes, "The operator does not support spec.version: the message lists the supported versions."},
		{v1alpha1.ReasonUnsupportedStep, meshes, "The upgrade from the running version to spec.version is not supported: the message contains the intermediate version."},
		{v1alpha1.ReasonAdoptionPreparing, meshes, "The certificate authority and the settings of a running Open Service Mesh are being copied."},
		{v1alpha1.ReasonAdoptionChanging, meshes, "The step of spec.adoption is not in effect yet: the message has what it waits for."},
		{v1alpha1.ReasonAdoptionBlocked, meshes, "The takeover from a running Open Service Mesh cannot begin or go on: the message has what to change, and docs/takeover.md what each step does."},
		{v1alpha1.ReasonAdoptionPrepared, meshes, "The control plane runs next to the Open Service Mesh and serves nobody."},
		{v1alpha1.ReasonAdoptionInjecting, meshes, "This mesh injects new pods, and the Open Service Mesh serves its own sidecars."},
		{v1alpha1.ReasonAdoptionRestarting, meshes, "Workloads with sidecars of the Open Service Mesh restart in waves."},
		{v1alpha1.ReasonAdoptionComplete, meshes, "The Open Service Mesh is removed: remove spec.adoption."},
		{v1alpha1.ReasonNamespaceClaimed, meshes, "spec.namespace belongs to another mesh or to a running Open Service Mesh: the message contains the fix."},
		{v1alpha1.ReasonUnsupportedKubernetes, meshes, "The Kubernetes version is not supported."},
		{v1alpha1.ReasonApplyFailed, meshes, "The API server rejected a request: the message contains its error."},
		{v1alpha1.ReasonCertificatesFailed, meshes, "A certificate could not be issued or read."},
		{v1alpha1.ReasonReplicasFailed, meshes, "Pods of the control plane keep failing: see their logs."},
		{v1alpha1.ReasonPeersNotReady, meshes, "A peer is not accepted, trusted, connected or compatible: the message has its name and the condition of its MeshPeer. The mesh works, and what the peer last said remains in force."},
		{v1alpha1.ReasonComponentFailed, meshes, "A component could not be applied, or is not healthy: the message contains its error. All other components run."},
		{v1alpha1.ReasonUpgradePending, meshes, "A new version of a component waits for the rollout of the control plane: the message names it. The earlier version runs."},
		{v1alpha1.ReasonKindNotServed, meshes, "A component or the certificate provider needs a kind that the API server does not serve: install its CRD, and the operator continues."},
		{v1alpha1.ReasonGatewaysRejected, meshes, "The API server rejects objects of Gateways with pods of their own: the message and the condition Programmed of these Gateways have its answer. Other Gateways are served."},
		{v1alpha1.ReasonNamespacesRejected, meshes, "Some namespaces reject the ConfigMap with the root certificate, or objects of a component: the message names them with the API server's error. Without the ConfigMap, sidecars of new pods there cannot connect; without its Roles, a component does not serve them."},
		{v1alpha1.ReasonRestartsDenied, meshes, "The API server or a policy rejects restarts of some workloads: the message names them. All others proceed, and the operator retries."},
		{v1alpha1.ReasonSidecarsOutdated, meshes, "Some sidecars are of another revision than the active one: the message names their workloads."},
		{v1alpha1.ReasonBridgeOpen, meshes, "Sidecars of Open Service Mesh are served until the time in the message: restart the workloads that it names before."},
		{v1alpha1.ReasonBridgeUnused, meshes, "No workload has a sidecar of Open Service Mesh any more: remove spec.adoption.bridge."},
		{v1alpha1.ReasonBridgeClosed, meshes, "Sidecars of Open Service Mesh are not served any more: restart the workloads that the message names, and remove spec.adoption.bridge."},
		{v1alpha1.ReasonDeleteFailed, meshes, "A resource of the mesh could not be deleted."},
		{v1alpha1.ReasonFieldsNotActedOn, "Mesh, MeshConfig", "The MeshConfig sets fields that this version ignores: the message lists them."},
	}
}

// meshEvents is the object of reasons that only Events of a Mesh have, and workloadEvents of those that only Events of workloads with sidecars have.
const (
	meshEvents     = "Mesh (Event)"
	workloadEvents = "workload (Event)"
)

// ofEvents returns the reasons that only Events have.
func ofEvents() []Reason {
	return []Reason{
		{"Adopted", meshEvents, "The operator took over, repaired, gave back or deleted an object of an Open Service Mesh."},
		{"AuthorityDeclared", meshEvents, "spec.certificates.rotateRoot changed, and the operator created a new root. A rotation follows."},
		{"AuthorityIssued", meshEvents, "The Vault signed a certificate authority for the mesh."},
		{"AuthorityReplaced", meshEvents, "The Secret of the certificate authority was deleted, and the operator created a new root. A rotation follows: update clients outside the mesh that trust the old root."},
		{"RotationWaits", meshEvents, "A rotation of the certificate authority has waited for an hour or more: restart or delete what the message names, or except its namespace in spec.certificates.rotateWithout. " +
			"A peer is connected, or named in spec.certificates.rotateWithoutPeers."},
		{"AuthorityRotated", meshEvents, "A rotation of the certificate authority took its next step: see the condition RotatingAuthority."},
		{"AdoptionStep", meshEvents, "Another step of the takeover from an Open Service Mesh is in effect."},
		{"CanaryInjects", meshEvents, "New pods of the canary namespaces get sidecars of the new version."},
		{"CanaryWithdrawn", meshEvents, "New pods of the canary namespaces get sidecars of the active version again."},
		{"CertificateRenewed", meshEvents, "The operator renewed the certificate in a Secret."},
		{"Created", meshEvents, "The operator created an object of the mesh."},
		{"Deleted", meshEvents, "The operator deleted the ConfigMap with the root certificate in a namespace that left the mesh."},
		{"DriftIgnoreEnded", meshEvents, "The annotation operator.openservicemesh.io/drift of an object was removed: the operator updates the object again."},
		{"DriftIgnored", meshEvents, "The operator does not update an object, because of its annotation operator.openservicemesh.io/drift: remove the annotation to hand the object back."},
		{"DriftRepaired", meshEvents, "An object of the mesh was changed or deleted outside the operator, and the operator restored it: change the Mesh instead."},
		{"HandedBack", meshEvents, "The Mesh no longer declares a field of the MeshConfig. The field keeps its value, and you can edit it there."},
		{"ImageNotPulled", meshEvents, "Nodes could not be asked to pull the image of sidecars before they are upgraded in place: the message has the answer. Pods wait for their nodes, and hold nothing up."},
		{"CertificateKept", meshEvents, "The Mesh was deleted, and the Secret of its ingress gateway remains, because the operator has no permission for it: delete the Secret."},
		{"NamespaceKept", meshEvents, "The Mesh was deleted with removal.namespace Delete, and its namespace remains: the message has the cause."},
		{"PhaseBegun", meshEvents, "The mesh entered another phase of an upgrade or a removal."},
		{"Replaced", meshEvents, "A version of the control plane replaced another one, which was deleted."},
		{"EventsLimited", meshEvents, "Many workloads or pods have an Event about an upgrade, and further ones get none: see the conditions, `status.proxies` and the metrics of the operator."},
		{"RestartDenied", workloadEvents, "The API server or a policy rejected the restart of the workload, or its upgrade in place: the message has its answer. The operator retries."},
		{"RestartFailed", workloadEvents, "The API server did not answer the restart of the workload, or its upgrade in place, in time: the message says whether an admission webhook may be slow. The operator retries."},
		{"Restarted", workloadEvents, "The operator restarted the workload, so that its pods get another sidecar or none."},
		{"UpgradeBegun", workloadEvents, "The operator upgrades the sidecars of the workload [in place](upgrades.md#pods-with-two-slots): it changes the images of slots of its pods."},
		{"SlotTakenBack", "Pod (Event)", "A slot of a pod could not start with its new image, so the operator gave it the earlier one back: see [pods with two slots](upgrades.md#pods-with-two-slots)."},
		{"Restored", meshEvents, "The MeshConfig was deleted, and the operator created it again with its last values."},
		{"Reverted", meshEvents, "A field of the MeshConfig that the Mesh declares was changed, and the operator restored it: change it in the Mesh."},
		{"RevisionRestored", meshEvents, "The MeshRevision of the version before an upgrade was deleted, and the operator created it again, so that the mesh can be rolled back to it."},
		{"SidecarsNotConfigured", meshEvents, "The removal of a mesh continued without the named sidecars, whose calls may fail until their pods are restarted."},
		{"StandingBy", "Deployment osm-operator (Event)", "Another operator manages the meshes of the cluster, and this one waits: remove one of the two."},
		{"Updated", meshEvents, "The operator changed an object of the mesh, because its desired state changed."},
		{"WorkloadIssuerChanged", meshEvents, "The certificates of workloads have another issuer below the same root: see spec.certificates.workloadIssuance."},
	}
}

// Page returns the documentation page of all reasons, in Markdown.
func Page() string {
	var page strings.Builder
	page.WriteString("# Reasons\n\n" +
		"<!-- Generated by `make docs`. Do not edit. -->\n\n" +
		"Reasons in conditions and Events, sorted. `osm support error-info REASON` prints the same text. [Troubleshooting](troubleshooting.md) has them by condition.\n\n" +
		"| Reason | On | Meaning |\n|---|---|---|\n")
	for _, reason := range All() {
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", reason.Code, reason.On, strings.ReplaceAll(reason.Description, "|", `\|`))
	}
	return page.String()
}
