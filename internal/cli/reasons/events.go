package reasons

// meshEvents is the object of reasons that only Events of a Mesh have.
const meshEvents = "Mesh (Event)"

// ofEvents returns the reasons that only Events have.
func ofEvents() []Reason {
	return []Reason{
		{"Adopted", meshEvents, "The operator took over, repaired or deleted an object of a removed Open Service Mesh."},
		{"AuthorityDeclared", meshEvents, "spec.certificates.rotateRoot changed, and the operator created a new root. A rotation follows."},
		{"AuthorityIssued", meshEvents, "The Vault signed a certificate authority for the mesh."},
		{"AuthorityReplaced", meshEvents, "The Secret of the certificate authority was deleted, and the operator created a new root. A rotation follows: update clients outside the mesh that trust the old root."},
		{"AuthorityRotated", meshEvents, "A rotation of the certificate authority took its next step: see the condition RotatingAuthority."},
		{"CanaryInjects", meshEvents, "New pods of the canary namespaces get sidecars of the new version."},
		{"CanaryWithdrawn", meshEvents, "New pods of the canary namespaces get sidecars of the active version again."},
		{"CertificateRenewed", meshEvents, "The operator renewed the certificate in a Secret."},
		{"Created", meshEvents, "The operator created an object of the mesh."},
		{"Deleted", meshEvents, "The operator deleted the ConfigMap with the root certificate in a namespace that left the mesh."},
		{"DriftIgnoreEnded", meshEvents, "The annotation operator.openservicemesh.io/drift of an object was removed: the operator updates the object again."},
		{"DriftIgnored", meshEvents, "The operator does not update an object, because of its annotation operator.openservicemesh.io/drift: remove the annotation to hand the object back."},
		{"DriftRepaired", meshEvents, "An object of the mesh was changed or deleted outside the operator, and the operator restored it: change the Mesh instead."},
		{"HandedBack", meshEvents, "The Mesh no longer declares a field of the MeshConfig. The field keeps its value, and you can edit it there."},
		{"CertificateKept", meshEvents, "The Mesh was deleted, and the Secret of its ingress gateway remains, because the operator has no permission for it: delete the Secret."},
		{"NamespaceKept", meshEvents, "The Mesh was deleted with removal.namespace Delete, and its namespace remains: the message has the cause."},
		{"PhaseBegun", meshEvents, "The mesh entered another phase of an upgrade or a removal."},
		{"Replaced", meshEvents, "A version of the control plane replaced another one, which was deleted."},
		{"RestartDenied", meshEvents, "The API server or a policy rejected the restart of a workload: the message has its answer. The operator retries."},
		{"RestartFailed", meshEvents, "The API server did not answer the restart of a workload. The operator retries."},
		{"Restarted", meshEvents, "The operator restarted a workload, so that its pods get another sidecar or none."},
		{"Restored", meshEvents, "The MeshConfig was deleted, and the operator created it again with its last values."},
		{"Reverted", meshEvents, "A field of the MeshConfig that the Mesh declares was changed, and the operator restored it: change it in the Mesh."},
		{"RevisionRestored", meshEvents, "The MeshRevision of the version before an upgrade was deleted, and the operator created it again, so that the mesh can be rolled back to it."},
		{"SidecarsNotConfigured", meshEvents, "The removal of a mesh continued without the named sidecars, whose calls may fail until their pods are restarted."},
		{"StandingBy", "Deployment osm-operator (Event)", "Another operator manages the meshes of the cluster, and this one waits: remove one of the two."},
		{"Updated", meshEvents, "The operator changed an object of the mesh, because its desired state changed."},
		{"WorkloadIssuerChanged", meshEvents, "The certificates of workloads have another issuer below the same root: see spec.certificates.workloadIssuance."},
	}
}
