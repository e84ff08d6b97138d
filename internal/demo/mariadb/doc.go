// Package mariadb runs a MariaDB server for the bookstore demo in a container that has no shell.
//
// Flows in: MYSQL_DATABASE, MYSQL_USER, MYSQL_PASSWORD and a folder that outlives the process. Flows out: a server on
// port 3306 with that database and that user. The folder is initialised once; an interrupted initialisation leaves
// nothing that a later start would take for a database.
package mariadb
