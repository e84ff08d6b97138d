package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

	// upgrade was the latest change of the component's pods. Operators after v0.3.0 do not write it. It is part of the schema because OLM
	// rejects a definition that loses a field.
	// +optional
	Upgrade *ComponentUpgrade `json:"upgrade,omitempty"`
}

// ComponentUpgrade was a change of the pods of a component that had not succeeded. Only earlier operators write it.
type ComponentUpgrade struct {
	// attempt identifies what was tried: the objects, the generation of the Mesh and the version of the operator.
	Attempt string `json:"attempt"`

	// startTime is when the new objects were applied.
	StartTime metav1.Time `json:"startTime"`

	// readyTime is since when all new pods were ready. It is absent if one was not.
	// +optional
	ReadyTime *metav1.Time `json:"readyTime,omitempty"`

	// failure is why the earlier objects were applied again. It is absent if the change was in progress.
	// +optional
	Failure string `json:"failure,omitempty"`
}

// ObjectReference refers to an object of a component.
type ObjectReference struct {
	// apiVersion is the group and version of the object, such as policy/v1.
	APIVersion string `json:"apiVersion"`

	// kind is the kind of the object.
	Kind string `json:"kind"`

	// namespace is the namespace of the object. It is empty for cluster-scoped objects.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// name is the name of the object.
	Name string `json:"name"`
}
