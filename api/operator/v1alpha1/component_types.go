package v1alpha1

// ComponentStatus is the observed state of one component of a mesh.
type ComponentStatus struct {
	// name is the name of the component.
	Name string `json:"name"`

	// ready is true when all objects of the component exist and are healthy.
	Ready bool `json:"ready"`

	// reason is Ready, Progressing, UpgradePending, ApplyFailed or KindNotServed.
	// +optional
	Reason string `json:"reason,omitempty"`

	// message describes what is missing, or what an upgrade waits for. It is empty for a component that is ready and up to date.
	// +optional
	Message string `json:"message,omitempty"`

	// objects are the objects of the component. The operator deletes an object that it no longer renders.
	// +optional
	// +listType=atomic
	Objects []ObjectReference `json:"objects,omitempty"`
}

// EveryNamespace is the namespace of a reference to the objects of one name in all namespaces of a mesh.
const EveryNamespace = "*"

// ObjectReference refers to an object of a component.
type ObjectReference struct {
	// apiVersion is the group and version of the object, such as policy/v1.
	APIVersion string `json:"apiVersion"`

	// kind is the kind of the object.
	Kind string `json:"kind"`

	// namespace is the namespace of the object. It is empty for cluster-scoped objects, and * stands for the objects of this name with the label
	// of the mesh in all namespaces except the mesh's own.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// name is the name of the object.
	Name string `json:"name"`
}
