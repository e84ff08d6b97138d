// Package nstest creates network namespaces for tests, in which a test can use every port, address and rule.
//
// Functions and programs run inside a Namespace, which is removed when the test ends. It requires root and the ip program.
package nstest
