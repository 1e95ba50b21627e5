"""What people say: tables of phrases by what they mean. What is done with a phrase stands where it is read."""
