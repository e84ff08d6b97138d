// Package controlplane has the components that follow from the control planes of a mesh: Services, disruption budgets and autoscalers.
//
// The running control planes of a Mesh flow in; Kubernetes objects flow out.
package controlplane
