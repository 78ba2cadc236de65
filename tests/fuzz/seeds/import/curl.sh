curl 'http://localhost:5000/employees?page=1' -H 'Accept: */*' -H 'Authorization: Bearer abc' --data-raw '{"a":1}' --compressed
curl -u me:pw -X PUT -d a=b -d @file http://localhost:5000/x
