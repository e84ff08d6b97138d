// Package nstest gives tests network namespaces of their own, in which they own every port, address and rule.
//
// A test flows in; a Namespace flows out, in which functions and programs run. It needs root and the ip program.
package nstest
