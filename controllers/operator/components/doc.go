// Package components reconciles the components of meshes: independent parts such as Services, disruption budgets and autoscalers.
//
// Meshes, MeshRevisions and the components of internal/operator/component flow in; the objects of the components, status.components and the
// condition ComponentsReady flow out. Only objects in the inventory of status.components are ever deleted. An object is added to the
// inventory before it is created, so that a restart of the operator loses none.
//
// A component that fails does not affect other components or the mesh. A component whose kinds the API server does not serve is
// skipped: watches start when its CustomResourceDefinition appears and stop when it is deleted.
package components
