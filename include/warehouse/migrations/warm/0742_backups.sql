grant connect on database warm to backup;
