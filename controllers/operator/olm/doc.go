// Package olm asks the Operator Lifecycle Manager to wait with another version of the operator while a mesh is upgraded.
//
// The statuses of Meshes flow in; the condition Upgradeable of the OperatorCondition that the Operator Lifecycle Manager made for this operator flows out.
package olm
