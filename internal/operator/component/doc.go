// Package component defines optional and independent parts of a mesh, such as Services and autoscalers.
//
// A Mesh and its running control planes flow in; Kubernetes objects and their health flow out. A component declares the kinds that it
// renders. The operator watches them once the API server serves them, keeps an inventory of the objects in status.components, and deletes
// what is no longer rendered.
//
// To add a component, add a folder with an implementation of Component and one line to package builtin. config/rbac/role.yaml must
// grant what Rules returns, and a test compares them.
package component
