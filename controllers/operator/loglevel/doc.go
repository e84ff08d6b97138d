// Package loglevel changes the level of the operator's log while it runs.
//
// Meshes flow in; the most verbose level of their control planes flows out. Meshes share the operator, so none can make its log less verbose
// than its flag.
package loglevel
