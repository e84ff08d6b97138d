package v1alpha1

// AdoptionSpec moves workloads of an Open Service Mesh to this mesh.
type AdoptionSpec struct {
	// bridge lets the control plane serve sidecars of Open Service Mesh v1.2 for a time. Default: they are not served.
	// +optional
	Bridge *BridgeSpec `json:"bridge,omitempty"`
}
